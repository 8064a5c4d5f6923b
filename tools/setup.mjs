// Makes a checkout ready to run: dependencies as the lock file says, dist as the sources say. Costs a few ms when nothing changed.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { exitCodeOf, fail, root, run } from './runtime.mjs'

// Both stamps lie in node_modules: who deletes it gets a new build too, as dist holds code from there.
const installStamp = join(root, 'node_modules', '.lumina-install')
const buildStamp = join(root, 'node_modules', '.lumina-build')
const lockPath = join(root, '.lumina-setup.lock')

const read = (path) => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

const sha256 = (text) => createHash('sha256').update(text).digest('hex')

const wantedInstall = () => sha256(`${process.platform}-${process.arch}\n${read(join(root, 'package-lock.json'))}`)

/** Path, size and mtime of everything that dist is made of: it changes too when a file goes or an older one comes back. */
function wantedBuild() {
  const lines = [wantedInstall()]
  const add = (path) => {
    const { size, mtimeMs } = statSync(path)
    lines.push(`${path} ${size} ${mtimeMs}`)
  }
  for (const name of ['package.json', 'tools/build.mjs']) add(join(root, name))
  const walk = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) walk(path)
      else add(path)
    }
  }
  walk(join(root, 'src'))
  return sha256(lines.join('\n'))
}

const installed = () => read(installStamp) === wantedInstall()
const built = () => read(buildStamp) === wantedBuild() && existsSync(join(root, 'dist', 'cli.js'))

/** Ready when it returns. `node` is the path of the Node that builds; it need not exist before. */
export async function setUp(node) {
  if (installed() && built()) return
  const unlock = await lock()
  try {
    if (!installed()) await install()
    if (!built()) await build(node)
  } finally {
    unlock()
  }
}

async function install() {
  const again = existsSync(installStamp)
  note(again ? 'dependencies changed, setting up again…' : 'setting up (first time only)…')
  const flags = ['--ignore-scripts', '--include=dev', '--include=optional', '--engine-strict=false', '--prefer-offline']
  const npm = process.env.npm_execpath
  const [command, ...args] = npm
    ? [process.env.npm_node_execpath ?? process.execPath, npm]
    : [process.platform === 'win32' ? 'npm.cmd' : 'npm']
  await step('npm ci', command, [...args, 'ci', ...flags, '--no-audit', '--no-fund', '--loglevel=error'], !npm)
  writeFileSync(installStamp, wantedInstall())
}

async function build(node) {
  if (existsSync(buildStamp)) note('sources changed, building…')
  const wanted = wantedBuild()
  await step('the build', node, [join(root, 'tools', 'build.mjs')])
  writeFileSync(buildStamp, wanted)
}

const note = (text) => process.stderr.write(`lumina: ${text}\n`)

/** Runs one step without a word; what it said is shown only if it failed, and then that is the end. */
async function step(name, command, args, viaShell = false) {
  const shell = viaShell && process.platform === 'win32'
  // Without its stamp a step is done anew; npm, asked to stop, would first take back all it did, for up to half a minute.
  const options = { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], shell, expendable: true }
  const { code, stopped, output } = await run(command, args, options)
  if (code === 0) return
  unlinkQuietly(lockPath)
  if (stopped) process.exit(exitCodeOf(stopped))
  process.stderr.write(output)
  fail(`${name} failed, see above`, 1)
}

/** One set-up at a time. The lock holds its owner's pid, so that one left behind by a kill is taken over. */
async function lock() {
  for (let waited = 0; ; waited++) {
    try {
      writeFileSync(lockPath, String(process.pid), { flag: 'wx' })
      const unlock = () => unlinkQuietly(lockPath)
      return unlock
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    if (waited === 5) note('another call is setting up, waiting for it…')
    takeOverIfAbandoned()
    await sleep(100)
  }
}

function takeOverIfAbandoned() {
  const owner = read(lockPath)
  if (owner === undefined || alive(owner)) return
  // Only one of several waiters wins the rename; whoever moved a lock that is alive after all puts it back.
  const aside = `${lockPath}.${process.pid}`
  try {
    renameSync(lockPath, aside)
    if (read(aside) !== owner) renameSync(aside, lockPath)
    else unlinkSync(aside)
  } catch {}
}

/** An empty lock is one whose owner has just made it, unless it has been so for ten seconds. */
function alive(owner) {
  if (owner === '') return Date.now() - (statSync(lockPath, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) < 10_000
  try {
    process.kill(Number(owner), 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function unlinkQuietly(path) {
  try {
    unlinkSync(path)
  } catch {}
}
