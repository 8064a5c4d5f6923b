import { spawn, type ChildProcess } from 'node:child_process'
import { accessSync, constants, readFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'

import { canSample, sampleTree, type Sample } from './processes.ts'

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export interface Usage {
  readonly wallSeconds: number
  /** User and system, the children that were waited for included. */
  readonly cpuSeconds?: number
  /** Of the largest process. */
  readonly peakRssBytes?: number
}

export interface Measured {
  readonly usage: Usage
  readonly samples: readonly Sample[]
  /** Why the run doesn't count: its exit code or signal, and the last it said. */
  readonly failure?: string
}

export interface MeasureOptions {
  /** An empty folder; also where the command runs, so that it finds no project's config. */
  readonly room: string
  /** The home folder that the command is told. */
  readonly home: string
  /** Look at the process tree this often; without it only where nothing better tells CPU and memory. */
  readonly sampleEveryMs?: number
}

const timeTool = '/usr/bin/time'
const hasTimeTool = canRunTimeTool()
const fallbackSampleEveryMs = 5

/** Runs a command to its end. Its stdout is thrown away, its stderr kept for the case that it fails. */
export async function measure(command: Command, options: MeasureOptions): Promise<Measured> {
  const timesFile = join(options.room, 'times')
  const started = performance.now()
  const child = start(command, options, timesFile)
  const sampler = startSampler(child, options)
  const stderr = tailOf(child)
  running = child
  const ending = await endOf(child)
  running = undefined
  const wallSeconds = (performance.now() - started) / 1000
  const samples = sampler.stop()
  const failure = ending === undefined ? undefined : `${basename(command.program)} ${ending}: ${stderr()}`
  return {
    usage: { wallSeconds, ...usageOf(timesFile, samples) },
    samples,
    ...(failure === undefined ? {} : { failure }),
  }
}

let running: ChildProcess | undefined

/** Ends the run under way, whatever it has started, so that its folder can go. */
export function killRunning(): void {
  if (running?.pid !== undefined) process.kill(-running.pid, 'SIGKILL')
}

/** Runs a command that isn't part of any figure; throws where it fails. */
export async function prepare(command: Command, options: MeasureOptions): Promise<void> {
  const { failure } = await measure(command, options)
  if (failure !== undefined) throw new Error(`while preparing, ${failure}`)
}

// A child of ours would start with our own size as its peak (the kernel counts the memory before `exec`): GNU time is small.
function start(command: Command, { room, home }: MeasureOptions, timesFile: string): ChildProcess {
  const own = [command.program, ...command.args]
  const [program = '', ...args] = hasTimeTool ? [timeTool, '-f', '%U %S %M', '-o', timesFile, ...own] : own
  const env = environment(home, command.env)
  // `detached`: a group of its own, which can be killed as a whole.
  return spawn(program, args, { cwd: room, env, stdio: ['ignore', 'ignore', 'pipe'], detached: true })
}

// Nobody's own settings count: no flags or config from the person who runs the bench, for us and for the peers alike.
function environment(home: string, own: Command['env']): NodeJS.ProcessEnv {
  const foreign = /^(LUMINA|RCLONE|RESTIC|RSYNC|NODE|NPM|XDG|FORCE_COLOR)/i
  const kept = Object.entries(process.env).filter(([name]) => !foreign.test(name))
  return { ...Object.fromEntries(kept), HOME: home, LC_ALL: 'C', ...own }
}

function endOf(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`did not start (${error.message})`))
    child.once('close', (code, signal) => resolve(code === 0 ? undefined : `ended with ${signal ?? code}`))
  })
}

function tailOf(child: ChildProcess): () => string {
  let tail = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (tail = (tail + text).slice(-2000)))
  return () => gist(tail.trim().split('\n'))
}

// The last line of a stack tells nothing.
const gist = (lines: readonly string[]): string =>
  lines.find((line) => /error/i.test(line)) ?? (lines.at(-1) || '(it said nothing)')

function startSampler(child: ChildProcess, options: MeasureOptions): { stop(): Sample[] } {
  const samples: Sample[] = []
  const { pid } = child
  const everyMs = options.sampleEveryMs ?? (hasTimeTool ? undefined : fallbackSampleEveryMs)
  if (pid === undefined || everyMs === undefined || !canSample) return { stop: () => samples }
  const look = (): void => {
    const sample = sampleTree(pid)
    if (sample !== undefined) samples.push(sample)
  }
  const timer = setInterval(look, everyMs)
  return { stop: () => (clearInterval(timer), samples) }
}

/** What GNU time wrote, else what the samples saw: a little less than the truth, as the last look comes before the end. */
function usageOf(timesFile: string, samples: readonly Sample[]): Omit<Usage, 'wallSeconds'> {
  const line = hasTimeTool ? lastLineOf(timesFile) : undefined
  if (line !== undefined) {
    const [user = 0, system = 0, kibibytes = 0] = line.split(' ').map(Number)
    return { cpuSeconds: user + system, peakRssBytes: kibibytes * 1024 }
  }
  if (samples.length === 0) return {}
  const largest = (pick: (sample: Sample) => number): number => samples.reduce((max, s) => Math.max(max, pick(s)), 0)
  return { cpuSeconds: largest((s) => s.cpuSeconds), peakRssBytes: largest((s) => s.peakRssBytes) }
}

function lastLineOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim().split('\n').at(-1)
  } catch {
    return undefined
  } finally {
    rmSync(path, { force: true })
  }
}

function canRunTimeTool(): boolean {
  if (process.platform !== 'linux') return false
  try {
    accessSync(timeTool, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export const howMeasured = hasTimeTool
  ? 'CPU and peak RSS by GNU time'
  : canSample
    ? `CPU and peak RSS by looking at /proc every ${fallbackSampleEveryMs} ms`
    : 'wall time only: neither GNU time nor /proc here'
