import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { execa } from 'execa'
import { expect, test } from 'vitest'

import { createScene } from './scene.ts'

const program = fileURLToPath(new URL('../../bin/lumina.js', import.meta.url))
const hook = `import { registerHooks } from 'node:module'
registerHooks({ load(url, context, next) { process.stderr.write('LOAD ' + url + '\\n'); return next(url, context) } })`

/** The modules that the main thread of `lumina <args>` loads: names of chunks without their hash, and of built-ins. */
async function loadsOf(...args: string[]): Promise<string[]> {
  const { root } = createScene()
  const hooks = join(root, 'hooks.mjs')
  writeFileSync(hooks, hook)
  const { stderr } = await execa(process.execPath, ['--import', pathToFileURL(hooks).href, program, ...args], {
    cwd: root,
    env: { LUMINA_STATE: join(root, 'state'), XDG_CONFIG_HOME: join(root, 'config') },
  })
  const urls = [...stderr.matchAll(/^LOAD (.*)$/gm)].map(([, url]) => url ?? '')
  return urls.map((url) => /([^/]*?)(-[\w-]{8})?\.js$/.exec(url)?.[1] ?? url)
}

test('--version loads neither commander nor any command', async () => {
  expect((await loadsOf('--version')).toSorted()).toEqual(['cli', 'lumina', 'version'])
})

test.each([
  ['--help', []],
  ['status', ['status']],
  ['config list', ['config']],
  ['doctor', ['doctor']],
])('%s loads no other command, and nothing of an upload', async (line, own) => {
  const loaded = await loadsOf(...line.split(' '))
  const commands = [
    'upload',
    'verify',
    'index-library',
    'status',
    'config',
    'doctor',
    'session',
    'lane',
    'cli-progress',
  ]
  expect(loaded.filter((name) => commands.includes(name))).toEqual(own)
})
