import { dirname } from 'node:path'

import { type ErrorCode, LuminaError } from '../errors.ts'
import { placeOfKey } from './files.ts'
import { quote } from './quote.ts'
import type { FileSettings, Raw } from './schema.ts'
import { isNegated, type Setting, type SettingName, settingOf, variableOf } from './settings.ts'
import { BadValue, type ValueContext } from './values.ts'

/** One place that may set things: the flags, the environment, a file. */
export interface Layer {
  readonly from: 'flag' | 'env' | 'project' | 'user'
  /** What relative paths mean here. */
  readonly base: string | undefined
  /** The code of what is wrong here. */
  readonly code: ErrorCode
  raw(name: SettingName): Raw | undefined
  /** Flag, variable or file that sets `name`, for people. */
  where(name: SettingName): string
  /** The same as the subject of a complaint. */
  subject(name: SettingName): string
}

/** What the command line says of a setting, as it stands there. */
export type Flags = { readonly [Name in SettingName]?: Raw }

export function flagLayer(flags: Flags, cwd: string): Layer {
  return { from: 'flag', base: cwd, code: 'usage', raw: (name) => flags[name], where: flagOf, subject: flagOf }
}

const flagOf = (name: SettingName): string => `--${settingOf(name).flag}`

/** An empty variable is an unset one. */
export function envLayer(env: NodeJS.ProcessEnv, cwd: string): Layer {
  const where = (name: SettingName): string => {
    const { flag } = settingOf(name)
    return env[variableOf(flag)] ? variableOf(flag) : variableOf(`no-${flag}`)
  }
  const raw = (name: SettingName): Raw | undefined => {
    const { flag } = settingOf(name)
    return env[variableOf(flag)] || (isNegated(settingOf(name)) ? negation(env[variableOf(`no-${flag}`)]) : undefined)
  }
  return { from: 'env', base: cwd, code: 'config', raw, where, subject: where }
}

/** LUMINA_NO_PROGRESS=1 says what `--no-progress` says; as with NO_COLOR, any value does, but a plain no. */
function negation(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : String(/^(0|false|no|off)$/i.test(value))
}

export function fileLayer({ file, settings }: FileSettings): Layer {
  return {
    from: file.from,
    base: file.from === 'project' ? dirname(file.path) : undefined,
    code: 'config',
    raw: (name) => settings.get(name),
    where: () => file.path,
    subject: (name) => `${placeOfKey(file, name)}: "${name}"`,
  }
}

/** @throws the layer's code, naming where the value stands. */
export function valueIn(layer: Layer, name: SettingName, raw: Raw, nowMs: number): unknown {
  const setting = settingOf(name)
  try {
    return readRaw(setting, raw, { nowMs, base: layer.base })
  } catch (error) {
    if (!(error instanceof BadValue)) throw error
    const shown = quote(typeof raw === 'object' ? raw.join(', ') : String(raw))
    throw new LuminaError(layer.code, `${layer.subject(name)}: ${shown} ${error.message}`, {
      hint: `for example ${setting.type.example}`,
    })
  }
}

function readRaw({ type }: Setting<unknown>, raw: Raw, context: ValueContext): unknown {
  if (typeof raw !== 'object') return type.read(String(raw), context)
  const item = type.item ?? type
  return Object.freeze(raw.map((each) => item.read(each, context)))
}
