import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, sep } from 'node:path'

import { onTestFinished } from 'vitest'

import { start, type Options, type Program, type Ran } from './program.ts'

/** A source, a library and a machine's state, in a folder that goes with its test. */
export interface Scene {
  root: string
  source: string
  library: string
  state: string
  /** What the programs of this scene take for the system's temporary folder. */
  temporary: string
  /** Writes a file below the source; its path. */
  add(path: string, content: Buffer | string): string
  /** Starts `lumina <args>` in this scene's folder. */
  start(args: readonly string[], options?: Options): Program
  /** Runs it to its end. */
  run(args: readonly string[], options?: Options): Promise<Ran>
  /** `lumina upload <source> --to <library> --json <more>` to its end. */
  upload(more?: readonly string[], options?: Options): Promise<Ran>
  verify(more?: readonly string[], options?: Options): Promise<Ran>
}

/** @param on a folder, for a scene that has to lie on a certain disk */
export function createScene(on = tmpdir()): Scene {
  const root = realpathSync(mkdtempSync(join(on, 'lumina-e2e-')))
  onTestFinished(() => rmSync(root, { recursive: true, force: true, maxRetries: 3 }))
  const source = join(root, 'source')
  const library = join(root, 'library')
  const state = join(root, 'state')
  const temporary = join(root, 'temporary')
  mkdirSync(source)
  mkdirSync(temporary)
  const begin = (args: readonly string[], { env, ...options }: Options = {}): Program =>
    start(args, {
      cwd: root,
      env: { TMPDIR: temporary, LUMINA_STATE: state, XDG_CONFIG_HOME: join(root, 'config'), ...env },
      ...options,
    })
  const scene: Scene = {
    root,
    source,
    library,
    state,
    temporary,
    add(path, content) {
      const whole = join(source, path)
      mkdirSync(dirname(whole), { recursive: true })
      writeFileSync(whole, content)
      return whole
    },
    start: begin,
    run: (args, options) => begin(args, options).ended,
    upload: (more = [], options = {}) => scene.run(['upload', source, '--to', library, '--json', ...more], options),
    verify: (more = [], options = {}) => scene.run(['verify', source, '--to', library, '--json', ...more], options),
  }
  return scene
}

export function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

/** Every file below `folder` but what is Lumina's own, by its path there, with the digest of its bytes. */
export function digestsIn(folder: string): Map<string, string> {
  return new Map(filesIn(folder).map((path) => [path, sha256(readFileSync(join(folder, path)))]))
}

export function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll(sep, '/'),
    )
    .filter((path) => !/^\.lumina(\/|$)/.test(path))
    .toSorted()
}

/** What the runs have left half: the names below `.lumina/tmp`. */
export function tempsOf({ library }: Pick<Scene, 'library'>): string[] {
  const folder = join(library, '.lumina', 'tmp')
  return existsSync(folder) ? (readdirSync(folder, { recursive: true }) as string[]).toSorted() : []
}
