import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, describe, expect, test } from 'vitest'

import { redact, secretFrom } from '../../src/config/secrets.ts'

const folder = mkdtempSync(join(tmpdir(), 'lumina-secrets-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('secretFrom', () => {
  const file = join(folder, 'key')
  writeFileSync(file, 'hunter2\n')

  test('takes the variable, or the file that its _FILE names, without the line end', () => {
    expect(secretFrom({ SUPABASE_KEY: 'hunter2' }, 'SUPABASE_KEY')).toBe('hunter2')
    expect(secretFrom({ SUPABASE_KEY_FILE: file }, 'SUPABASE_KEY')).toBe('hunter2')
    expect(secretFrom({}, 'SUPABASE_KEY')).toBeUndefined()
    expect(secretFrom({ SUPABASE_KEY: '', SUPABASE_KEY_FILE: '' }, 'SUPABASE_KEY')).toBeUndefined()
  })

  test('both, and a file that cannot be read, are refused by name', () => {
    expect(() => secretFrom({ SUPABASE_KEY: 'x', SUPABASE_KEY_FILE: file }, 'SUPABASE_KEY')).toThrow(
      'both SUPABASE_KEY and SUPABASE_KEY_FILE',
    )
    expect(() => secretFrom({ SUPABASE_KEY_FILE: join(folder, 'none') }, 'SUPABASE_KEY')).toThrow(
      'SUPABASE_KEY_FILE cannot be read',
    )
  })
})

test('redact takes logins, tokens and the values of secret variables out of any text', () => {
  const env = {
    AWS_SECRET_ACCESS_KEY: 'abc/def+ghi',
    PGPASSWORD: 'pw123456',
    HOME: '/home/me',
    TOKENIZER: 'harmless',
    SUPABASE_KEY_FILE: '/run/key',
  }
  const text = 'PUT s3://me:pw@bucket/x https://h/?token=t1&x=1 abc/def+ghi pw123456 /home/me harmless /run/key'
  expect(redact(text, env)).toBe('PUT s3://***@bucket/x https://h/?token=***&x=1 *** *** /home/me harmless /run/key')
})
