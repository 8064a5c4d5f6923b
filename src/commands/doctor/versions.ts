import { type Finding, ok, problem } from './finding.ts'

/** The first of each line that carries SQLite 3.51.3, whose write-ahead log loses nothing at a reset. */
const nodeFloors = ['22.22.3', '24.15.0', '26.0.0']
const sqliteFloor = '3.51.3'

export function checkVersions(versions: NodeJS.ProcessVersions): Finding[] {
  return [checkNode(versions.node), checkSqlite(versions['sqlite'])]
}

function checkNode(version: string): Finding {
  const [major = 0] = numbersOf(version)
  const floor = nodeFloors.find((each) => numbersOf(each)[0] === major)
  const isNewEnough = floor === undefined ? major > 26 : isAtLeast(version, floor)
  if (isNewEnough) return ok('node', `Node ${version}`)
  return problem(
    'node',
    `Node ${version} is too old`,
    `install ${nodeFloors.join(', ')} or newer of these lines: https://nodejs.org`,
  )
}

function checkSqlite(version: string | undefined): Finding {
  if (version === undefined)
    return problem('sqlite', 'this Node has no SQLite', 'install the Node of https://nodejs.org')
  if (isAtLeast(version, sqliteFloor)) return ok('sqlite', `SQLite ${version}`)
  return problem('sqlite', `SQLite ${version} may lose transactions`, `use a Node with SQLite ${sqliteFloor} or newer`)
}

function isAtLeast(version: string, floor: string): boolean {
  const [have, need] = [numbersOf(version), numbersOf(floor)]
  const at = need.findIndex((part, index) => part !== (have[index] ?? 0))
  return at < 0 || (have[at] ?? 0) > (need[at] ?? 0)
}

function numbersOf(version: string): number[] {
  return version.split('.').map((part) => Number.parseInt(part, 10))
}
