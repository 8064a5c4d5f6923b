import { type ConfigFile, type Ignored, readProjectFile, readUserFile } from './config/files.ts'
import { envLayer, fileLayer, type Flags, flagLayer, type Layer, valueIn } from './config/layers.ts'
import { defaultPlaces, type Places } from './config/places.ts'
import { projectDestination } from './config/project-to.ts'
import type { FileSettings, Raw } from './config/schema.ts'
import {
  type CommandName,
  isNegated,
  type SettingName,
  type Settings,
  settingNames,
  settingOf,
  variableOf,
} from './config/settings.ts'
import { type Services, servicesFrom } from './config/services.ts'
import { suggest } from './config/suggest.ts'
import { LuminaError } from './errors.ts'

/** Where a value comes from: `where` is the flag, the variable or the file, and `written` how it stands there. */
export type Origin =
  | { readonly from: Layer['from']; readonly where: string; readonly written: Raw }
  | { readonly from: 'default'; readonly where?: undefined; readonly written?: string }

/** Every setting with its value, decided once: flag > environment > project file > user file > default. Frozen, lists too. */
export interface Config extends Settings {
  readonly state: string
  /** Names for destinations, from the user's file. */
  readonly destinations: Readonly<Record<string, string>>
  readonly origins: Readonly<Record<SettingName, Origin>>
  /** Never shown: it holds secrets. */
  readonly services: Services
  /** Where the user's settings are, or would be. */
  readonly userFile: string
  readonly projectFile: string | undefined
  /** What a person should know of how this was put together. */
  readonly notices: readonly string[]
}

export interface ConfigInput {
  readonly command: CommandName
  readonly flags: Flags
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly nowMs: number
  /** Where the user's own things are, if not where the platform keeps them. */
  readonly places?: Places
}

/** @throws `usage` for what is wrong on the command line, `config` for what is wrong in variables and files. */
export async function loadConfig(input: ConfigInput): Promise<Config> {
  const places = input.places ?? defaultPlaces()
  const user = await validated(readUserFile(places.userFile))
  const found = readProjectFile(input.cwd)
  const project = await validated(isFile(found) ? found : undefined)
  const destinations = user?.destinations ?? {}

  const values: Partial<Record<SettingName, unknown>> = {}
  const origins: Partial<Record<SettingName, Origin>> = {}
  // its variable holds a password, which no setting may: `servicesFrom` reads that
  const outer = [flagLayer(input.flags, input.cwd), envLayer({ ...input.env, LUMINA_CATALOG: '' }, input.cwd)]
  const files = [project, user].filter((each) => each !== undefined).map(fileLayer)
  for (const name of settingNames) {
    const layers = filesMaySet(name, input.command) ? [...outer, ...files] : outer
    const decided = decide(name, layers, input.nowMs)
    values[name] = decided.value
    origins[name] = decided.origin
  }
  if (origins.to?.from === 'project')
    values.to = projectDestination(values.to as string, origins.to.where, destinations)
  values.state ??= places.stateDir
  refuseEmptyRanges(values as Settings)

  return Object.freeze({
    ...(values as Settings & { state: string }),
    destinations: Object.freeze(destinations),
    origins: Object.freeze(origins as Record<SettingName, Origin>),
    services: servicesFrom(input.env, values.catalog as string | undefined),
    userFile: places.userFile,
    projectFile: project?.file.path,
    notices: Object.freeze([...ignoredNotice(found), ...slips(input.env)]),
  })
}

function isFile(found: ConfigFile | Ignored | undefined): found is ConfigFile {
  return found !== undefined && 'json' in found
}

/** Without a file nothing is validated, and the validator is not even loaded. */
async function validated(file: ConfigFile | undefined): Promise<FileSettings | undefined> {
  if (file === undefined) return undefined
  const { validate } = await import('./config/schema.ts')
  return validate(file)
}

/**
 * `verify` says "safe to wipe" of everything it was given: a filter that somebody once put into a file must not shrink that unseen.
 * On its own command line, and in its environment, a filter is seen.
 */
function filesMaySet(name: SettingName, command: CommandName): boolean {
  return command !== 'verify' || settingOf(name).group !== 'Which files'
}

function decide(name: SettingName, layers: readonly Layer[], nowMs: number): { value: unknown; origin: Origin } {
  for (const layer of layers) {
    const raw = layer.raw(name)
    if (raw === undefined) continue
    return {
      value: valueIn(layer, name, raw, nowMs),
      origin: { from: layer.from, where: layer.where(name), written: raw },
    }
  }
  const { default: value, written } = settingOf(name)
  return { value, origin: { from: 'default', ...(written === undefined ? {} : { written }) } }
}

const ranges = [
  ['minSize', 'maxSize'],
  ['since', 'until'],
  ['takenSince', 'takenUntil'],
] as const

function refuseEmptyRanges(values: Settings): void {
  for (const [low, high] of ranges) {
    if ((values[low] ?? -Infinity) <= (values[high] ?? Infinity)) continue
    throw new LuminaError(
      'usage',
      `--${settingOf(low).flag} lies above --${settingOf(high).flag}, so that no file can match`,
    )
  }
}

function ignoredNotice(found: ConfigFile | Ignored | undefined): string[] {
  return found === undefined || isFile(found) ? [] : [`${found.path} is ignored: ${found.reason}`]
}

/** Variables that are one slip away from a setting: `LUMINA_DRYRUN=1` must not quietly upload. */
function slips(env: NodeJS.ProcessEnv): string[] {
  const variables = settingNames.flatMap((name) => {
    const { flag } = settingOf(name)
    return isNegated(settingOf(name)) ? [variableOf(flag), variableOf(`no-${flag}`)] : [variableOf(flag)]
  })
  const known = new Set([...variables, 'LUMINA_CATALOG_FILE'])
  const strangers = Object.keys(env).filter((name) => name.startsWith('LUMINA_') && !known.has(name))
  return strangers.flatMap((name) => {
    const meant = suggest(
      name.slice('LUMINA_'.length),
      variables.map((each) => each.slice('LUMINA_'.length)),
    )
    return meant === undefined ? [] : [`${name} sets nothing; LUMINA_${meant} does`]
  })
}
