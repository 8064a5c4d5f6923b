import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { jpeg } from './contents.ts'
import { createScene, digestsIn, sha256 } from './scene.ts'
import { isWindows } from './tools.ts'

const invalid = Buffer.from([0x66, 0xff, 0xfe, 0x2e, 0x6a, 0x70, 0x67]) // f..\.jpg, and no UTF-8
const names = [
  'line\nend.jpg',
  '\u001b[31mred.jpg',
  'caf\u00e9.jpg',
  'cafe\u0301.jpg',
  '📷 🧑‍🚀.jpg',
  `${'n'.repeat(251)}.jpg`,
  `${'é'.repeat(125)}x.jpg`,
  'gpj.\u202egnp.jpg',
  ' leading and trailing .jpg ',
  'con.jpg',
  'a:b*c?.jpg',
  '100%41.jpg',
  'quote\'d "twice".jpg',
  '-n.jpg',
  '~.jpg',
  'no extension',
  '\u0085next.jpg',
  'trailing.',
]

test.skipIf(isWindows)('names of any bytes are stored, verified, and harmless to a terminal', async () => {
  const scene = createScene()
  const contents = new Set<string>()
  const write = (name: string | Buffer, seed: string): void => {
    const content = jpeg(seed)
    contents.add(sha256(content))
    writeFileSync(Buffer.concat([Buffer.from(`${scene.source}/dir\n\u202e/`), Buffer.from(name)]), content)
  }
  mkdirSync(join(scene.source, 'dir\n\u202e'))
  for (const [at, name] of names.entries()) write(name, `name ${at}`)
  // macOS takes no such name
  if (process.platform !== 'darwin') write(invalid, 'invalid')
  const files = readdirSync(join(scene.source, 'dir\n\u202e')).length

  // said in words, in lines of -vv and in events: all of it is checked for control characters
  const first = await scene.upload(['-vv'])
  expect(first.summary).toMatchObject({ found: files, uploaded: files, failed: 0 })
  expect(first.code).toBe(0)
  expect(new Set(digestsIn(scene.library).values())).toEqual(contents)

  expect((await scene.verify(['-vv'])).code).toBe(0)
  const again = await scene.upload(['-vv'])
  expect(again.summary.skippedBy).toEqual({ 'already-there': files })
  expect((await scene.run(['status', '-v'])).code).toBe(0)
})

test.skipIf(isWindows)('a list names files by any bytes', async () => {
  const scene = createScene()
  const content = jpeg('listed')
  const path = Buffer.concat([
    Buffer.from(`${scene.source}/`),
    process.platform === 'darwin' ? Buffer.from('x\n.jpg') : invalid,
  ])
  writeFileSync(path, content)
  const ran = await scene.run(['upload', '--files-from', '-', '-0', '--to', scene.library, '--json'], { input: path })
  expect(ran.summary).toMatchObject({ found: 1, uploaded: 1 })
  expect([...digestsIn(scene.library).values()]).toEqual([sha256(content)])
})

test.skipIf(isWindows)('what fails is named so that no terminal is steered by it', async () => {
  const scene = createScene()
  scene.add('good.jpg', jpeg(1))
  scene.add('\u001b]0;owned\u0007\n\u202e.jpg', '')
  const ran = await scene.upload()
  expect(ran.stderr).toContain('\\x1b]0;owned\\x07\\n\\u202e.jpg')
})
