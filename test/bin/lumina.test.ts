import { readFileSync } from 'node:fs'
import { runInNewContext } from 'node:vm'

import { expect, test } from 'vitest'

import { floor, satisfies } from '../../tools/runtime.mjs'

const program = readFileSync('bin/lumina.js', 'utf8').replace(/^#!.*/, '')

/** Runs bin/lumina.js as Node `version` would, up to where it begins to load the program. */
function startOn(version: string): { begins: boolean; stderr: string; exitCode: number | undefined } {
  const seen = { begins: false, stderr: '', exitCode: undefined }
  const fake = {
    version: `v${version}`,
    versions: { node: version },
    stderr: { write: (text: string) => (seen.stderr += text) },
    emitWarning() {},
    getBuiltinModule() {
      seen.begins = true
      throw new Error('far enough')
    },
    set exitCode(code: undefined) {
      seen.exitCode = code
    },
  }
  try {
    runInNewContext(program, { process: fake })
  } catch (error) {
    if (!seen.begins) throw error
  }
  return seen
}

test.each([
  '10.24.1',
  '18.20.8',
  '20.20.2',
  '22.22.2',
  '22.22.3',
  '22.23.0',
  '23.11.0',
  '24.14.9',
  '24.15.0',
  '24.21.0',
  '25.9.0',
  '26.0.0',
  '27.1.0',
  '30.0.0',
])('on Node %s it begins if package.json says so, else says why not', (version) => {
  const { begins, stderr, exitCode } = startOn(version)
  expect(begins).toBe(satisfies(version, floor()))
  if (begins) return
  expect(stderr).toMatch(new RegExp(`^lumina needs Node 22\\.22\\.3, 24\\.15 or newer; this is v${version} .*\\n$`))
  expect(exitCode).toBe(2)
})
