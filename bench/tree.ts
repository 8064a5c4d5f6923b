import { closeSync, lstatSync, openSync, readSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** What a folder holds, as far as a bench has to know that nobody cut corners. */
export interface Tree {
  readonly files: number
  readonly bytes: number
  /** The latest change of any file: whoever writes a file again moves it. */
  readonly changedMs: number
}

/** Sums up a folder; `leftOut` is a name at its top, such as a library's own folder. */
export function treeOf(root: string, leftOut?: string): Tree {
  let files = 0
  let bytes = 0
  let changedMs = 0
  for (const path of filesIn(root, leftOut)) {
    const { size, ctimeMs } = lstatSync(path)
    files++
    bytes += size
    changedMs = Math.max(changedMs, ctimeMs)
  }
  return { files, bytes, changedMs }
}

/** What is missing from a copy, or undefined where it is complete. */
export function missingFrom(copy: Tree, source: Tree): string | undefined {
  if (copy.files === source.files && copy.bytes === source.bytes) return undefined
  return `the copy has ${copy.files} files and ${copy.bytes} bytes, the source ${source.files} and ${source.bytes}`
}

/** Reads every byte once, so that no contender finds a colder cache than the next. */
export function warmUp(root: string): void {
  const buffer = Buffer.allocUnsafe(1024 * 1024)
  for (const path of filesIn(root)) {
    const file = openSync(path, 'r')
    while (readSync(file, buffer) > 0);
    closeSync(file)
  }
}

export function* filesIn(root: string, leftOut?: string): Generator<string> {
  for (const entry of readdirSync(root, { withFileTypes: true })) {
    if (entry.name === leftOut) continue
    const path = join(root, entry.name)
    if (entry.isDirectory()) yield* filesIn(path)
    else if (entry.isFile()) yield path
  }
}
