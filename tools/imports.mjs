// `node tools/imports.mjs [folder]`: holds the direction of imports inside src, or inside that folder. Part of `npm run lint`:
// oxlint's no-restricted-imports sees a specifier as it is written ('../open.ts'), not the file it means, and knows no "only these
// may". A type in place, `import('./x.ts').X`, is what oxlint forbids.
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, posix, relative, resolve, sep } from 'node:path'
import { parseSync } from 'rolldown/utils'
import { root } from './runtime.mjs'

const base = ['base']
const lower = ['hash', 'media', 'state', 'destination', ...base]

// The parts of the house, the most special path first. `imports`: the other parts it may know; `types`: those of which it may know
// only types; `packages`: what it may know from node_modules, where that is not free.
const parts = [
  // Composition roots that are threads of their own.
  {
    name: 'entry',
    path: /^pipeline\/lanes\/entry\.ts$/,
    imports: ['pipeline', 'open', ...lower],
  },
  { name: 'cli', path: /^cli(\.ts$|\/)/, imports: ['commands', 'report', 'config', ...base] },
  {
    name: 'commands',
    path: /^commands\//,
    imports: ['report', 'pipeline', 'triage', 'server', 'open', 'session', 'config', ...lower],
  },
  { name: 'report', path: /^report\//, imports: base, packages: ['cli-progress'] },
  {
    name: 'pipeline',
    path: /^pipeline\//,
    imports: lower,
    types: ['entry'],
    packages: ['ignore', 'picomatch'],
  },
  { name: 'triage', path: /^triage\//, imports: lower },
  { name: 'server', path: /^server\//, imports: ['open', 'config', ...lower] },
  { name: 'media', path: /^media\//, imports: ['hash', ...base] },
  { name: 'hash', path: /^hash\//, imports: base, packages: ['file-type'] },
  { name: 'state', path: /^state\//, imports: ['destination', 'hash', ...base], packages: [] },
  { name: 'destination', path: /^client\/destination\.ts$/, imports: base, packages: [] },
  {
    name: 'open',
    path: /^client\/open(?:\.ts$|\/)/,
    imports: ['drivers', 'catalogs', 'layers', 'client', 'session', 'config', ...lower],
  },
  { name: 'drivers', path: /^client\/drivers\//, imports: ['client', ...lower] },
  { name: 'catalogs', path: /^client\/catalogs\//, imports: ['client', ...lower] },
  { name: 'layers', path: /^client\/layers\//, imports: ['client', 'destination', ...base], packages: [] },
  // A user's login to a project: begun and ended by a command, used where a project is opened.
  {
    name: 'session',
    path: /^client\/supabase-session(?:\.ts$|\/)/,
    imports: ['client', ...lower],
    packages: ['@supabase/supabase-js'],
  },
  // What drivers, catalogs and layers share.
  {
    name: 'client',
    path: /^client\/(?:[^/]+\.ts$|http\/)/,
    imports: ['destination', 'hash', 'state', ...base],
  },
  { name: 'config', path: /^config(\.ts$|\/)/, imports: base },
  // errors, events and the small tools that everything may use.
  { name: 'base', path: /^[^/]+\.ts$/, imports: [], packages: [] },
  // The folders that DESIGN does not know yet have to be given their place here.
  { name: 'unplaced', path: /./, imports: [] },
]

const partOf = (file) => parts.find((part) => part.path.test(file))

/** Every module that `file` names in an import or export, with the line where it does. */
function* importsOf(file, text) {
  const { module, errors } = parseSync(file, text)
  if (errors.length > 0) throw new Error(`${file}: ${errors[0].message}`)
  const exported = module.staticExports.filter((statement) => statement.entries.some((entry) => entry.moduleRequest))
  for (const { start, entries, moduleRequest = entries[0].moduleRequest } of [
    ...module.staticImports,
    ...exported,
    ...module.dynamicImports,
  ]) {
    const written = moduleRequest.value ?? text.slice(moduleRequest.start, moduleRequest.end)
    const specifier = /^(['"`])(.*)\1$/.exec(written)?.[2] ?? written
    const typeOnly = /^(import|export)\s+type\b/.test(text.slice(start))
    yield { specifier, typeOnly, line: text.slice(0, moduleRequest.start).split('\n').length }
  }
}

/** Why `from` must not import `specifier`; undefined where it may. */
function objection(from, file, { specifier, typeOnly }) {
  if (specifier.startsWith('node:')) return undefined
  if (!specifier.startsWith('.')) {
    const name = specifier
      .split('/')
      .slice(0, specifier.startsWith('@') ? 2 : 1)
      .join('/')
    return !from.packages || from.packages.includes(name)
      ? undefined
      : `${from.name} must not import the package ${name}`
  }
  const target = posix.join(posix.dirname(file), specifier)
  if (target.startsWith('..')) return undefined
  const to = partOf(target)
  if (to.name === 'unplaced') return `src/${target} has no place in tools/imports.mjs yet`
  if (to === from || from.imports.includes(to.name) || (typeOnly && from.types?.includes(to.name))) return undefined
  return `${from.name} must not import ${to.name} (src/${target})`
}

const src = resolve(process.argv[2] ?? join(root, 'src'))
const files = readdirSync(src, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => relative(src, join(entry.parentPath, entry.name)).replaceAll(sep, '/'))

const problems = files.flatMap((file) => {
  const from = partOf(file)
  if (from.name === 'unplaced') return [`src/${file}:1: ${dirname(file)}/ has no place in tools/imports.mjs yet`]
  return [...importsOf(file, readFileSync(join(src, file), 'utf8'))].flatMap((found) => {
    const why = objection(from, file, found)
    return why ? [`src/${file}:${found.line}: ${why}`] : []
  })
})

for (const problem of problems) console.error(problem)
if (files.length === 0) console.error('tools/imports.mjs: found no sources')
else console.error(`imports: ${files.length} files, ${problems.length} against the direction`)
process.exitCode = problems.length > 0 || files.length === 0 ? 1 : 0
