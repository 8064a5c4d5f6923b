import type { ValueType } from './values.ts'
import * as values from './values.ts'

export const commandNames = ['upload', 'verify', 'status', 'config', 'doctor', 'index', 'login', 'init'] as const
export type CommandName = (typeof commandNames)[number]

/** Headings of `--help`, in this order. */
export const groups = ['Where to', 'Which files', 'Names', 'How', 'Limits', 'Messages'] as const

/**
 * Where a setting may be set besides flags and environment: in `any` file; in the `user`'s own file only, since a project file comes
 * with a folder that anyone may have packed; or in none but for this `run`, since a file would make it a trap.
 */
export type Scope = 'any' | 'user' | 'run'

/** One setting, described once: flags, variables, files, `--help` and `config list` all come from here. */
export interface Setting<T> {
  /** The long flag without dashes. Its variable is LUMINA_ and the same in capitals. */
  readonly flag: string
  readonly short?: string
  readonly type: ValueType<T>
  readonly default: T
  /** The default as a person would write it, where its number counts something smaller. */
  readonly written?: string
  readonly help: string
  readonly group: (typeof groups)[number]
  readonly commands: readonly CommandName[]
  readonly scope: Scope
  /** Each use of the flag adds: an item to a list, or one to a count. */
  readonly repeats?: true
}

type Description<D> = { default: D } & Omit<Setting<unknown>, 'flag' | 'type' | 'default'>

const setting = <T, const D extends T | undefined>(
  flag: string,
  type: ValueType<T>,
  rest: Description<D>,
): Setting<T | D> => ({
  flag,
  type,
  ...rest,
})

const { choice, count, destination, duration, list, moment, optional, path, postgres, rate, size, text } = values
const toggle = values.flag

const nothing = undefined
const noItems: readonly string[] = []

const upload = ['upload'] as const
const upAndVerify = ['upload', 'verify'] as const
const anyReach = ['upload', 'verify', 'doctor', 'index'] as const

const settings = {
  to: setting('to', destination, {
    default: nothing,
    help: 'a folder, a URL, or a name set with `lumina config set destinations.<name> <url>`',
    group: 'Where to',
    commands: ['upload', 'verify', 'doctor'],
    scope: 'any',
  }),
  prefix: setting('prefix', text('prefix', '2026/wedding'), {
    default: nothing,
    help: 'put everything below this folder of the destination',
    group: 'Where to',
    commands: upload,
    scope: 'any',
  }),
  newLibrary: setting('new-library', toggle, {
    // A library that was there yesterday and is missing now is a disk that is not mounted, far more often than a wish for a new one.
    default: false,
    help: 'the library remembered at this place is gone for good: start another',
    group: 'Where to',
    commands: upload,
    scope: 'run',
  }),

  catalog: setting('catalog', postgres, {
    default: nothing,
    help: 'a Postgres database as the catalog that machines share; LUMINA_CATALOG or LUMINA_CATALOG_FILE where its URL holds a password',
    group: 'Where to',
    commands: anyReach,
    // A file that names another catalog makes everything new.
    scope: 'run',
  }),

  include: setting('include', list(text('glob', '*.CR3')), {
    default: noItems,
    help: 'only files that match; repeat for more',
    group: 'Which files',
    commands: upAndVerify,
    scope: 'any',
    repeats: true,
  }),
  exclude: setting('exclude', list(text('glob', 'previews/**')), {
    default: noItems,
    help: 'no files that match; repeat for more',
    group: 'Which files',
    commands: upAndVerify,
    scope: 'any',
    repeats: true,
  }),
  excludeFrom: setting('exclude-from', list(path('file')), {
    default: noItems,
    help: 'exclude what the lines of this file say, in gitignore syntax',
    group: 'Which files',
    commands: upAndVerify,
    scope: 'user',
    repeats: true,
  }),
  filesFrom: setting('files-from', path('file', { dash: true }), {
    default: nothing,
    help: 'also take the files that the lines of this file name; `-` is stdin',
    group: 'Which files',
    commands: upAndVerify,
    scope: 'run',
  }),
  nul: setting('null', toggle, {
    short: '0',
    default: false,
    help: 'names in --files-from end with NUL instead of a line end, as `find -print0` writes them',
    group: 'Which files',
    commands: upAndVerify,
    scope: 'run',
  }),
  minSize: setting('min-size', optional(size), {
    default: nothing,
    help: 'only files of this size and more',
    group: 'Which files',
    commands: upAndVerify,
    scope: 'any',
  }),
  maxSize: setting('max-size', optional(size), {
    default: nothing,
    help: 'only files of this size and less',
    group: 'Which files',
    commands: upAndVerify,
    scope: 'any',
  }),
  since: setting('since', optional(moment('first')), {
    default: nothing,
    help: 'only files last changed then or later: a date, or an age like 7d',
    group: 'Which files',
    commands: upAndVerify,
    scope: 'any',
  }),
  until: setting('until', optional(moment('last')), {
    default: nothing,
    help: 'only files last changed then or earlier; a date takes all of its day',
    group: 'Which files',
    commands: upAndVerify,
    scope: 'any',
  }),
  takenSince: setting('taken-since', optional(moment('first')), {
    default: nothing,
    help: 'only photos taken then or later',
    group: 'Which files',
    commands: upAndVerify,
    scope: 'any',
  }),
  takenUntil: setting('taken-until', optional(moment('last')), {
    default: nothing,
    help: 'only photos taken then or earlier',
    group: 'Which files',
    commands: upAndVerify,
    scope: 'any',
  }),
  allFiles: setting('all-files', toggle, {
    // A card's index files are no loss, and a wrong folder full of documents is no photo.
    default: false,
    help: 'also files that are neither photo nor video',
    group: 'Which files',
    commands: upAndVerify,
    scope: 'user',
  }),
  followSymlinks: setting('follow-symlinks', toggle, {
    // A link may lead out of the folder, or back into it.
    default: false,
    help: 'go where symbolic links lead',
    group: 'Which files',
    commands: upAndVerify,
    scope: 'user',
  }),

  layout: setting('layout', text('template', '{taken:yyyy}/{taken:MM}/{name}{ext}'), {
    // The tree as it is: nobody has to learn where a photo went.
    default: '{dir}/{name}{ext}',
    help: 'names at the destination: {dir} {name} {ext} {taken:yyyy} {taken:MM} {taken:dd} {camera} {digest} {uuid}',
    group: 'Names',
    commands: upload,
    scope: 'any',
  }),
  onCollision: setting('on-collision', choice('rename', 'skip', 'fail'), {
    // The only one of the three that stores every photo.
    default: 'rename',
    help: 'when the name belongs to another content: add a counter, leave the file out, or fail it',
    group: 'Names',
    commands: upload,
    scope: 'any',
  }),

  dryRun: setting('dry-run', toggle, {
    short: 'n',
    default: false,
    help: 'touch nothing, say what would happen',
    group: 'How',
    commands: upload,
    scope: 'run',
  }),
  rehash: setting('rehash', toggle, {
    default: false,
    help: 'read every file again, also those that look unchanged',
    group: 'How',
    commands: upload,
    scope: 'any',
  }),
  quick: setting('quick', toggle, {
    // "Safe to wipe" has to come from the bytes themselves.
    default: false,
    help: 'trust the catalog instead of reading what is stored',
    group: 'How',
    commands: ['verify'],
    scope: 'run',
  }),
  sweep: setting('sweep', toggle, {
    default: false,
    help: 'remove temporary files that nobody holds',
    group: 'How',
    commands: ['doctor'],
    scope: 'run',
  }),
  concurrency: setting('concurrency', optional(count('lanes', { min: 1, max: 64 })), {
    // Chosen by the program: a lane a processor for a library, 4 transfers to begin with for a service.
    default: nothing,
    help: 'how many files travel at once; to a service, at the start',
    group: 'How',
    commands: ['upload', 'verify', 'index'],
    scope: 'any',
  }),
  maxConcurrency: setting('max-concurrency', count('transfers', { min: 1, max: 256 }), {
    // Beyond it a line or a service is full, and each transfer costs a buffer of 256 KiB.
    default: 16,
    help: 'to a service, never more transfers at once than this, however well it goes',
    group: 'How',
    commands: anyReach,
    scope: 'any',
  }),
  resumableOver: setting('resumable-over', size, {
    // What the hosted service recommends: https://supabase.com/docs/guides/storage/uploads/resumable-uploads
    default: 6 * 1024 * 1024,
    written: '6M',
    help: 'to a service, send larger files in pieces, so that an interrupted one goes on',
    group: 'How',
    commands: upload,
    scope: 'any',
  }),
  stallTimeout: setting('stall-timeout', duration, {
    // Longer than a phone takes to find its network again, shorter than a person to look.
    default: 30_000,
    written: '30s',
    help: 'cut a connection on which no byte moves for this long, and go on over another',
    group: 'How',
    commands: anyReach,
    scope: 'any',
  }),
  retries: setting('retries', count('times', { max: 100 }), {
    // With waits of about 1, 2 and 4 s: outlasts a restart of a proxy, not a person's patience.
    default: 3,
    help: 'ask again this often when a destination stumbles',
    group: 'How',
    commands: anyReach,
    scope: 'any',
  }),
  wait: setting('wait', toggle, {
    // A cron job that waits for the one before it piles up.
    default: false,
    help: 'when another run holds this source and destination, wait for its end instead of exiting with 11',
    group: 'How',
    commands: upload,
    scope: 'any',
  }),
  state: setting('state', path('folder'), {
    default: nothing,
    help: 'where this machine keeps its memory of unchanged files and begun transfers',
    group: 'How',
    commands: ['upload', 'verify', 'status', 'doctor', 'index'],
    scope: 'user',
  }),

  bwlimit: setting('bwlimit', optional(rate), {
    default: nothing,
    help: 'send no more than this a second',
    group: 'Limits',
    commands: upload,
    scope: 'any',
  }),
  maxDuration: setting('max-duration', optional(duration), {
    default: nothing,
    help: 'begin no file after this time; exit 10',
    group: 'Limits',
    commands: upload,
    scope: 'any',
  }),
  maxTransfer: setting('max-transfer', optional(size), {
    default: nothing,
    help: 'begin no file that would take the bytes sent beyond this; exit 10',
    group: 'Limits',
    commands: upload,
    scope: 'any',
  }),
  errorOnNoTransfer: setting('error-on-no-transfer', toggle, {
    default: false,
    help: 'exit 9 when there was nothing new to send',
    group: 'Limits',
    commands: upload,
    scope: 'any',
  }),

  json: setting('json', toggle, {
    default: false,
    help: 'write JSON to stdout, and nothing else there',
    group: 'Messages',
    commands: ['upload', 'verify', 'status', 'config', 'doctor', 'index'],
    scope: 'run',
  }),
  logFile: setting('log-file', path('file'), {
    default: nothing,
    help: 'append every event to this file, one JSON object a line',
    group: 'Messages',
    commands: ['upload', 'verify', 'index'],
    scope: 'user',
  }),
  verbose: setting('verbose', count('level', { max: 3 }), {
    short: 'v',
    default: 0,
    help: 'a line for every file; twice: for every step',
    group: 'Messages',
    commands: ['upload', 'verify', 'status', 'doctor', 'index'],
    scope: 'any',
    repeats: true,
  }),
  quiet: setting('quiet', toggle, {
    short: 'q',
    default: false,
    help: 'errors only',
    group: 'Messages',
    commands: ['upload', 'verify', 'status', 'doctor', 'index'],
    scope: 'user',
  }),
  progress: setting('progress', toggle, {
    default: true,
    help: 'no bar, and no progress lines',
    group: 'Messages',
    commands: ['upload', 'verify', 'index'],
    scope: 'any',
  }),
}

export type SettingName = keyof typeof settings
type ValueOf<S> = S extends Setting<infer T> ? T : never
export type Settings = { readonly [Name in SettingName]: ValueOf<(typeof settings)[Name]> }

export const settingNames = Object.keys(settings) as SettingName[]

/** The table where the names are not known one by one. */
export const settingOf = (name: SettingName): Setting<unknown> => settings[name]

export const variableOf = (flag: string): string => `LUMINA_${flag.toUpperCase().replaceAll('-', '_')}`

/** A switch that is on by default is turned off by its flag. */
export const isNegated = (one: Setting<unknown>): boolean => one.default === true
