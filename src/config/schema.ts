import * as v from 'valibot'

import { LuminaError } from '../errors.ts'
import { type ConfigFile, placeOfKey } from './files.ts'
import { quote } from './quote.ts'
import { holdsSecret } from './secrets.ts'
import { type Setting, type SettingName, settingNames, settingOf } from './settings.ts'
import { suggest } from './suggest.ts'
import { isDestinationName } from './values.ts'

/** What a file may say of one setting: a text, or plain JSON where its type has some. */
export type Raw = string | number | boolean | readonly string[]

export interface FileSettings {
  readonly file: ConfigFile
  readonly settings: ReadonlyMap<SettingName, Raw>
  readonly destinations: Readonly<Record<string, string>>
}

const destinationsSchema = v.record(
  v.pipe(v.string(), v.check(isDestinationName, 'has a name that is not made of letters, digits, - and _')),
  v.pipe(
    v.string('holds something else than texts'),
    v.check((url) => !holdsSecret(url), 'holds a login or a token, which belong into the environment'),
  ),
  'is no list of names like {"nas": "/mnt/nas/photos"}',
)

/**
 * What the file sets, with every key known, allowed in this file, and of its JSON type. What the texts mean is not looked at here.
 * @throws `config`, naming file, line and column.
 */
export function validate(file: ConfigFile): FileSettings {
  const root = v.safeParse(v.record(v.string(), v.unknown()), file.json)
  if (!root.success || Array.isArray(file.json)) {
    throw new LuminaError('config', `${file.path} holds no object of settings`, {
      hint: 'it should look like {"retries": 5}',
    })
  }
  const settings = new Map<SettingName, Raw>()
  let destinations: Record<string, string> = {}
  for (const [key, value] of Object.entries(root.output)) {
    refuseKey(file, key)
    if (key === 'destinations') destinations = check(file, key, destinationsSchema, value)
    else settings.set(key as SettingName, check(file, key, rawSchema(settingOf(key as SettingName)), value))
  }
  return { file, settings, destinations }
}

function rawSchema(setting: Setting<unknown>): v.GenericSchema<unknown, Raw> {
  switch (setting.type.json) {
    case 'boolean':
      return v.boolean('is neither true nor false')
    case 'number':
      return v.union([v.string(), v.number()], `is neither a number nor a text like ${setting.type.example}`)
    case 'list':
      return v.union([v.string(), v.array(v.string())], 'is no list of texts')
    default:
      return v.string('is no text')
  }
}

function check<T>(file: ConfigFile, key: string, schema: v.GenericSchema<unknown, T>, value: unknown): T {
  const result = v.safeParse(schema, value)
  if (result.success) return result.output
  throw new LuminaError('config', `${placeOfKey(file, key)}: "${key}" ${result.issues[0].message}`)
}

function refuseKey(file: ConfigFile, key: string): void {
  const known: readonly string[] = [...settingNames, 'destinations']
  const where = placeOfKey(file, key)
  if (!known.includes(key)) {
    const meant = suggest(key, known)
    throw new LuminaError('config', `${where}: there is no setting ${quote(key)}`, {
      hint: meant === undefined ? '`lumina config list` shows all of them' : `did you mean "${meant}"?`,
    })
  }
  const scope = key === 'destinations' ? 'user' : settingOf(key as SettingName).scope
  if (scope === 'run')
    throw new LuminaError('config', `${where}: "${key}" holds for one run and is no setting for a file`)
  if (scope === 'user' && file.from === 'project') {
    throw new LuminaError(
      'config',
      `${where}: "${key}" may not come from a project's file, which anyone may have written`,
      {
        hint: `set it for yourself: lumina config set ${key} <value>`,
      },
    )
  }
}
