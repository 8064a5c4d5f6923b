import type { Config } from '../config.ts'
import { quote } from '../config/quote.ts'
import type { Raw } from '../config/schema.ts'
import { redact } from '../config/secrets.ts'
import { type SettingName, settingNames, settingOf } from '../config/settings.ts'
import { suggest } from '../config/suggest.ts'
import { BadValue, isDestinationName, lastingDestination } from '../config/values.ts'
import { writeUserFile } from '../config/write.ts'
import { exitCodes, LuminaError } from '../errors.ts'
import type { Io } from '../report/io.ts'
import { printable, printableJson } from '../report/printable.ts'

/** What `lumina config` is asked for. */
export type ConfigRequest =
  | { do: 'list'; showOrigin: boolean }
  | { do: 'get'; key: string }
  | { do: 'set'; key: string; values: string[] }
  | { do: 'unset'; key: string }

const destinationsPrefix = 'destinations.'

/** `lumina config get|set|unset|list`. */
export async function configure(config: Config, request: ConfigRequest, io: Io): Promise<number> {
  switch (request.do) {
    case 'list':
      return list(config, request.showOrigin, io)
    case 'get':
      return get(config, request.key, io)
    case 'set':
      return set(config, request.key, request.values, io)
    case 'unset':
      return unset(config, request.key, io)
  }
}

function list(config: Config, showOrigin: boolean, io: Io): number {
  if (config.json) return printLine(io, printableJson(listing(config)))
  for (const name of settingNames) {
    const origin = showOrigin ? `  (${originText(config, name)})` : ''
    const value = shown(config, name, io)
    print(io, `${name}${value === undefined ? ' is not set' : ` = ${value}`}${origin}`)
  }
  for (const [name, to] of Object.entries(config.destinations)) {
    print(io, `${destinationsPrefix}${name} = ${to}${showOrigin ? `  (user file ${config.userFile})` : ''}`)
  }
  return exitCodes.done
}

function listing(config: Config): object {
  const entries = settingNames.map((name) => [name, { value: config[name] ?? null, ...config.origins[name] }])
  const { destinations, userFile, projectFile } = config
  return { settings: Object.fromEntries(entries), destinations, userFile, projectFile: projectFile ?? null }
}

function originText(config: Config, name: SettingName): string {
  const origin = config.origins[name]
  switch (origin.from) {
    case 'flag':
      return `flag ${origin.where}`
    case 'env':
      return `variable ${origin.where}`
    case 'project':
    case 'user':
      return `${origin.from} file ${origin.where}`
    case 'default':
      return 'default'
  }
}

/** As it was written, so that `10M` stays `10M`; undefined when nothing is set. */
function shown(config: Config, name: SettingName, io: Io): string | undefined {
  const value = config.origins[name].written ?? config[name]
  if (value === undefined) return undefined
  return redact(typeof value === 'object' ? value.join(', ') : String(value), io.env)
}

function get(config: Config, key: string, io: Io): number {
  const value = key.startsWith(destinationsPrefix) ? destinationNamed(config, key) : shown(config, knownName(key), io)
  if (config.json) return printLine(io, printableJson(isSetting(key) ? (config[key] ?? null) : (value ?? null)))
  return value === undefined ? exitCodes.someFailed : print(io, value)
}

function destinationNamed({ destinations }: Config, key: string): string | undefined {
  const name = key.slice(destinationsPrefix.length)
  return Object.hasOwn(destinations, name) ? destinations[name] : undefined
}

async function set(config: Config, key: string, values: readonly string[], io: Io): Promise<number> {
  const value = key.startsWith(destinationsPrefix)
    ? newDestination(key, values, io)
    : newValue(config, writableName(key), values, io)
  await writeUserFile(config.userFile, { set: key, value })
  io.stderr.write(`${printable(`${key} is kept in ${config.userFile}`)}\n`)
  warnIfOverruled(config, key, io)
  return exitCodes.done
}

async function unset(config: Config, key: string, io: Io): Promise<number> {
  if (!key.startsWith(destinationsPrefix)) writableName(key)
  await writeUserFile(config.userFile, { unset: key })
  warnIfOverruled(config, key, io)
  return exitCodes.done
}

function warnIfOverruled(config: Config, key: string, io: Io): void {
  const origin = isSetting(key) ? config.origins[key] : undefined
  if (origin?.from !== 'env' && origin?.from !== 'project') return
  io.stderr.write(`${printable(`here it does not count, since ${origin.where} sets ${key} too`)}\n`)
}

function newDestination(key: string, values: readonly string[], io: Io): string {
  const name = key.slice(destinationsPrefix.length)
  if (!isDestinationName(name)) {
    throw new LuminaError('usage', `${quote(name)} cannot name a destination`, {
      hint: 'a name is made of letters, digits, - and _, and begins with a letter',
    })
  }
  const to = checked(key, values, (value) => lastingDestination(value, io.cwd))
  if (!isDestinationName(to)) return to
  throw new LuminaError('usage', `${quote(to)} is a name itself`, { hint: `a folder is written ./${to}` })
}

/** What goes into the file: as it was typed, but paths so that they hold from every folder. */
function newValue(config: Config, name: SettingName, values: readonly string[], io: Io): Raw {
  const { type } = settingOf(name)
  if (type.item !== undefined)
    return values.map((each) => checked(name, [each], (text) => read(text, type.item as typeof type)) as string)
  if (name === 'to')
    return knownDestination(
      config,
      checked(name, values, (text) => lastingDestination(text, io.cwd)),
    )
  return checked(name, values, (text) => {
    const value = read(text, type)
    return typeof value === 'string' || typeof value === 'boolean' || String(value) === text ? (value as Raw) : text
  })

  function read(text: string, by: typeof type): unknown {
    return by.read(text, { nowMs: io.now(), base: io.cwd })
  }
}

function knownDestination({ destinations }: Config, to: string): string {
  if (!isDestinationName(to) || Object.hasOwn(destinations, to)) return to
  throw new LuminaError('usage', `no destination is named ${quote(to)}`, {
    hint: `a folder is written ./${to}; a name is set by: lumina config set ${destinationsPrefix}${to} <destination>`,
  })
}

function checked<T>(key: string, values: readonly string[], read: (text: string) => T): T {
  const [text = ''] = values
  if (values.length > 1)
    throw new LuminaError('usage', `${key} takes one value`, { hint: 'quote it if it holds spaces' })
  try {
    return read(text)
  } catch (error) {
    if (!(error instanceof BadValue)) throw error
    const example = isSetting(key) ? settingOf(key).type.example : './library, s3://bucket/photos'
    throw new LuminaError('usage', `${key}: ${quote(text)} ${error.message}`, { hint: `for example ${example}` })
  }
}

function isSetting(key: string): key is SettingName {
  return (settingNames as readonly string[]).includes(key)
}

function knownName(key: string): SettingName {
  if (isSetting(key)) return key
  const meant = suggest(key, [...settingNames, 'destinations'])
  throw new LuminaError('usage', `there is no setting ${quote(key)}`, {
    hint:
      meant === undefined
        ? '`lumina config list` shows all of them'
        : `Did you mean ${meant === 'destinations' ? 'destinations.<name>' : meant}?`,
  })
}

function writableName(key: string): SettingName {
  const name = knownName(key)
  if (settingOf(name).scope !== 'run') return name
  throw new LuminaError('usage', `${name} holds for one run and is not kept`, {
    hint: `say --${settingOf(name).flag} when you need it`,
  })
}

function print(io: Io, text: string): number {
  return printLine(io, printable(text))
}

function printLine(io: Io, line: string): number {
  io.stdout.write(`${line}\n`)
  return exitCodes.done
}
