// Bundles src into dist: one file an entry and one a command, all flat, with every dependency but the native ones inside.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rolldown } from 'rolldown'
import { fail, root } from './runtime.mjs'

// What starts as a thread or process of its own. One that has no source yet is left out.
const entries = {
  cli: 'src/cli.ts',
  lane: 'src/pipeline/lanes/entry.ts',
}

// Native or heavy, and loaded by few: these stay packages of their own.
const external = [/^sharp($|\/)/, /^libheif-js($|\/)/, /^@aws-sdk\//]

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const dist = join(root, 'dist')

// A running Lumina still loads chunks of the build before, so these go only when a package is made.
if (process.argv.includes('--clean')) rmSync(dist, { recursive: true, force: true })

const bundle = await rolldown({
  cwd: root,
  input: Object.fromEntries(Object.entries(entries).filter(([, path]) => existsSync(join(root, path)))),
  external,
  platform: 'node',
  transform: { target: 'node22.18', define: { __LUMINA_VERSION__: JSON.stringify(version) } },
  onwarn(warning) {
    throw new Error(warning.message)
  },
})
const { output } = await bundle
  .generate({
    format: 'esm',
    // Flat, so that `new URL('./lane.js', import.meta.url)` means the same in every chunk.
    entryFileNames: '[name].js',
    chunkFileNames: '[name]-[hash].js',
    comments: false,
  })
  .catch((error) => fail(error.message, 1))
await bundle.close()

/**
 * An ESM import of a built-in module looks at all of its exports, and so loads what their getters stand for: web streams for
 * node:fs, WebCrypto for node:crypto. Taking only what is named costs a lane 20 ms and 1.5 MB less.
 */
function takeBuiltins(code) {
  return code.replace(/^import (.+) from "(node:[\w/]+)";$/gm, (line, names, module) => {
    const taken = `globalThis.process.getBuiltinModule("${module}")`
    const list = /^\{ (.+) \}$/.exec(names)?.[1]
    if (list !== undefined) return `const { ${list.replaceAll(' as ', ': ')} } = ${taken};`
    const whole = /^(?:\* as )?([\w$]+)$/.exec(names)?.[1]
    return whole === undefined ? line : `const ${whole} = ${taken};`
  })
}

mkdirSync(dist, { recursive: true })
const place = (name, content) => {
  writeFileSync(join(dist, `${name}.new`), content)
  renameSync(join(dist, `${name}.new`), join(dist, name))
}
// Chunks before the entries that name them: at every moment a start finds a whole program.
for (const chunk of output.toSorted((a, b) => Number(a.isEntry) - Number(b.isEntry)))
  place(chunk.fileName, takeBuiltins(chunk.code))
place('THIRD-PARTY-NOTICES.txt', notices(output.flatMap((chunk) => chunk.moduleIds ?? [])))

/** The licence of every package that has a module in the bundle, and where its source is: MPL-2.0 asks for that too. */
function notices(modules) {
  const folders = new Set(modules.map(packageFolder).filter(Boolean))
  return [...folders]
    .toSorted((a, b) => a.localeCompare(b, 'en'))
    .map(notice)
    .join(`\n${'-'.repeat(80)}\n\n`)
}

/** The folder of the package that holds `module`; undefined for our own. */
function packageFolder(module) {
  return /^.*[\\/]node_modules[\\/](@[^\\/]+[\\/])?[^\\/]+/.exec(module)?.[0]
}

function notice(folder) {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const source = `https://www.npmjs.com/package/${manifest.name}/v/${manifest.version}`
  return `${manifest.name} ${manifest.version} (${manifest.license}) ${source}\n\n${licenceText(folder)}\n`
}

/** From its file, else from the section that ends its README. */
function licenceText(folder) {
  const files = readdirSync(folder)
  const read = (pattern) => {
    const name = files.find((file) => pattern.test(file))
    return name === undefined ? '' : readFileSync(join(folder, name), 'utf8')
  }
  const text = read(/^(licen[cs]e|copying)/i) || /^#+ *licen[cs]e$(.*)/ims.exec(read(/^readme/i))?.[1] || ''
  if (!/copyright/i.test(text)) throw new Error(`${folder} has no licence text, and its code is in dist`)
  return text.trim()
}
