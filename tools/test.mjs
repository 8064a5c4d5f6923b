// `npm test [-- <vitest arguments>]`: sets the checkout up if need be, then runs vitest on the Node that npm runs on, if it is
// new enough, so that a matrix of Nodes tests each of them; else on the pinned one.
import { delimiter, dirname, join } from 'node:path'
import { become, chooseNode, root } from './runtime.mjs'
import { setUp } from './setup.mjs'

const node = chooseNode({ preferNpms: true })
await setUp(node)

const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
const PATH = [dirname(node), process.env.PATH].join(delimiter)
await become(node, [vitest, 'run', ...process.argv.slice(2)], { cwd: root, env: { ...process.env, PATH } })
