import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, describe, expect, test } from 'vitest'

import { holdsSecret, redact, refuseSecrets } from '../../src/config/secrets.ts'
import { servicesFrom } from '../../src/config/services.ts'
import { LuminaError } from '../../src/errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'lumina-services-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const fileWith = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

const refusal = (work: () => unknown): LuminaError => {
  try {
    work()
  } catch (error) {
    if (error instanceof LuminaError) return error
    throw error
  }
  throw new Error('It was not refused.')
}

describe('the project and its key', () => {
  test('come from the environment, the key also by the name of its role or from a file', () => {
    const url = 'https://ref.supabase.co'
    expect(servicesFrom({ SUPABASE_URL: url, SUPABASE_KEY: 'a.b-c_d' }, undefined).supabase).toMatchObject({
      url,
      key: 'a.b-c_d',
    })
    expect(servicesFrom({ SUPABASE_SERVICE_ROLE_KEY: 'role' }, undefined).supabase.key).toBe('role')
    expect(servicesFrom({ SUPABASE_KEY: 'own', SUPABASE_SERVICE_ROLE_KEY: 'role' }, undefined).supabase.key).toBe('own')
    const file = fileWith('key', 'from-a-file\n')
    expect(servicesFrom({ SUPABASE_KEY_FILE: file }, undefined).supabase.key).toBe('from-a-file')
    expect(servicesFrom({}, undefined).supabase).toMatchObject({ url: undefined, key: undefined })
  })

  test.each(['two words', 'hunter2\r\nx-admin: 1', 'schlüssel'])('%j is no key, and is not repeated', (key) => {
    const error = refusal(() => servicesFrom({ SUPABASE_KEY: key }, undefined).supabase.key)
    expect(error.code).toBe('config')
    expect(error.message).toContain('SUPABASE_KEY')
    expect(`${error.message} ${error.hint}`).not.toContain(key.slice(0, 5))
  })

  test('a key out of a file is hidden in any text from then on', () => {
    const file = fileWith('other', 'sekret-out-of-a-file')
    expect(servicesFrom({ SUPABASE_KEY_FILE: file }, undefined).supabase.key).toBeDefined()
    expect(redact('apikey sekret-out-of-a-file.', {})).toBe('apikey ***.')
  })
})

describe('the shared catalog', () => {
  test('is named by --catalog, else by LUMINA_CATALOG or a file', () => {
    const url = 'postgres://me:hunter2@db/photos'
    expect(servicesFrom({ LUMINA_CATALOG: url }, undefined).catalog).toBe(url)
    expect(servicesFrom({ LUMINA_CATALOG_FILE: fileWith('url', `${url}\n`) }, undefined).catalog).toBe(url)
    expect(servicesFrom({ LUMINA_CATALOG: url }, 'postgres://other/photos').catalog).toBe('postgres://other/photos')
    expect(servicesFrom({}, undefined).catalog).toBeUndefined()
    expect(
      servicesFrom({ LUMINA_CATALOG: 'postgresql:///photos?host=/run/postgresql' }, undefined).catalog,
    ).toBeDefined()
  })

  test.each([
    'mysql://me:hunter2@db/x',
    'host=db password=hunter2',
    'postgres://me:hun#ter2@db/x',
    'postgres://me:hun/ter2@db/x',
    'postgres://me:12/ter2@db/x',
  ])('%s is refused, and not repeated', (url) => {
    const error = refusal(() => servicesFrom({ LUMINA_CATALOG: url }, undefined).catalog)
    expect(error.code).toBe('config')
    expect(error.message).toContain('LUMINA_CATALOG')
    expect(error.message).not.toMatch(/hun|ter2/)
  })

  test('has a password that is hidden in any text from then on, as it is written and as it is meant', () => {
    const url = 'postgres://me:p%40ssword-1@db/photos'
    expect(servicesFrom({ LUMINA_CATALOG: url }, undefined).catalog).toBe(url)
    expect(redact('"p@ssword-1" and p%40ssword-1', {})).toBe('"***" and ***')
    expect(redact(`cannot reach ${url}`, {})).toBe('cannot reach postgres://***@db/photos')
  })

  test.each([
    ['upload', 'x', '--catalog', 'postgres://me:hunter2@db/photos'],
    ['upload', 'x', '--catalog=postgresql://:hunter2@db/photos'],
    ['upload', 'x', '--catalog', 'postgres://db/photos?user=me&password=hunter2'],
    ['upload', 'x', '--catalog', 'host=db user=me password=hunter2'],
  ])('%s %s %s %s: a password in an argument is refused with where it may be', (...argv) => {
    const error = refusal(() => refuseSecrets(argv))
    expect(error.code).toBe('usage')
    expect(error.hint).toContain('LUMINA_CATALOG')
    expect(error.hint).toContain('_FILE')
    expect(`${error.message} ${error.hint}`).not.toContain('hunter2')
  })

  test.each(['postgres://me@db/photos', 'postgresql://db/photos', 'postgres:///photos?host=/run/postgresql'])(
    '%s holds no secret',
    (url) => {
      expect(holdsSecret(url)).toBe(false)
    },
  )

  test.each(['supabase://token@bucket', 'https://postgres@host', 'x https://token@host/postgres://me@db'])(
    '%s may hold one',
    (url) => {
      expect(holdsSecret(url)).toBe(true)
    },
  )
})

describe('connections to the database', () => {
  test('are none when idle and four at most, or what the environment says', () => {
    expect(servicesFrom({}, undefined).dbPool).toEqual({ min: 0, max: 4 })
    expect(servicesFrom({ DB_POOL_MIN: '6' }, undefined).dbPool).toEqual({ min: 6, max: 6 })
    expect(servicesFrom({ DB_POOL_MIN: '1', DB_POOL_MAX: '2' }, undefined).dbPool).toEqual({ min: 1, max: 2 })
  })

  test.each([
    { DB_POOL_MAX: '0' },
    { DB_POOL_MIN: '3', DB_POOL_MAX: '2' },
    { DB_POOL_MAX: 'many' },
    { DB_POOL_MAX: '101' },
  ])('%j is refused', (env) => {
    expect(refusal(() => servicesFrom(env, undefined).dbPool).code).toBe('config')
  })
})

test('what a run does not ask for may be wrong: it may be meant for another program', () => {
  const services = servicesFrom(
    { DB_POOL_MAX: 'many', SUPABASE_KEY_FILE: join(folder, 'none'), LUMINA_CATALOG: 'x' },
    undefined,
  )
  expect(services.supabase.url).toBeUndefined()
  expect(refusal(() => services.supabase.key).message).toContain('SUPABASE_KEY_FILE')
})
