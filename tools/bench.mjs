// `npm run bench [-- <arguments>]`: sets the checkout up if need be, then runs the benchmarks.
import { join } from 'node:path'
import { become, chooseNode, root } from './runtime.mjs'
import { setUp } from './setup.mjs'

const node = chooseNode({ preferNpms: true })
await setUp(node)
await become(node, [join(root, 'bench', 'index.ts'), ...process.argv.slice(2)], { cwd: root })
