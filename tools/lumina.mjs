// `npm run lumina -- <args>`: sets the checkout up if need be, then is Lumina.
import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { become, chooseNode, root } from './runtime.mjs'
import { setUp } from './setup.mjs'

const node = chooseNode()
await setUp(node)

// npm runs scripts in the package's folder; a relative path means what it means where the user called npm.
const { INIT_CWD, npm_lifecycle_event } = process.env
const cwd = npm_lifecycle_event === 'lumina' && INIT_CWD ? INIT_CWD : process.cwd()
const program = join(root, 'bin', 'lumina.js')

if (node === process.execPath) {
  // In this very process: no second start, and signals, stdio and exit code are Lumina's own.
  process.chdir(cwd)
  process.argv[1] = realpathSync(program)
  await import(pathToFileURL(program).href)
} else {
  await become(node, [program, ...process.argv.slice(2)], { cwd })
}
