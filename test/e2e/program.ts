import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

import { execa, type ResultPromise } from 'execa'
import { expect, onTestFinished } from 'vitest'

import type { LuminaEvent } from '../../src/events.ts'

const program = resolve('bin/lumina.js')

type EventOf<Name extends LuminaEvent['event']> = Extract<LuminaEvent, { event: Name }>

/** What a run has said, and how it ended. */
export class Said {
  stdout = ''
  stderr = ''

  /** The events of its whole lines so far; a killed process leaves half a line. */
  get events(): LuminaEvent[] {
    const lines = this.stdout.slice(0, this.stdout.lastIndexOf('\n') + 1).split('\n')
    return lines.filter((line) => line.startsWith('{"v":1,')).map((line) => JSON.parse(line) as LuminaEvent)
  }

  of<Name extends LuminaEvent['event']>(name: Name): EventOf<Name>[] {
    return this.events.filter((event): event is EventOf<Name> => event.event === name)
  }
}

export class Ran extends Said {
  /** As a shell has it: 128 + number for an end by signal. */
  readonly code: number
  /** The signal that ended it, where it did not end by itself. */
  readonly signal: string | undefined

  constructor({ stdout, stderr }: Said, code: number | undefined, signal: string | undefined) {
    super()
    this.stdout = stdout
    this.stderr = stderr
    this.code = code ?? 128 + (signalNumbers[signal ?? ''] ?? 0)
    this.signal = signal
  }

  get summary(): EventOf<'summary'> {
    const [summary] = this.of('summary')
    if (!summary) throw new Error(`No summary; stderr:\n${this.stderr}`)
    return summary
  }

  /** The outcome of each file by its name: `uploaded`, or why not. */
  get outcomes(): Record<string, string> {
    return Object.fromEntries(this.events.map(outcomeOf).filter((outcome) => outcome !== undefined))
  }
}

const signalNumbers: Record<string, number> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }

function outcomeOf(event: LuminaEvent): [path: string, outcome: string] | undefined {
  switch (event.event) {
    case 'uploaded':
    case 'verified':
    case 'indexed':
      return [nameIn(event.path), event.event]
    case 'skipped':
    case 'not-stored':
      return [nameIn(event.path), event.reason]
    case 'failed':
      return [nameIn(event.path), event.code]
    default:
      return undefined
  }
}

function nameIn(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

export interface Options {
  cwd?: string
  env?: Record<string, string>
  input?: string | Uint8Array
  /** A program and its arguments that start lumina for us, as `strace` does. */
  under?: readonly string[]
  /** Nobody reads stdout: its reader goes away after so many bytes. */
  closeStdoutAfter?: number
}

export interface Program {
  readonly pid: number
  /** Live. */
  readonly said: Said
  /** Resolves whatever the end is, once what holds for every run was checked. */
  readonly ended: Promise<Ran>
  kill(signal: NodeJS.Signals): boolean
  /** Whether it lives. */
  running(): boolean
}

/** Starts `lumina <args>`. Nothing of the machine's own settings reaches it. */
export function start(
  args: readonly string[],
  { cwd, env, input, under = [], closeStdoutAfter }: Options = {},
): Program {
  const [file = '', ...rest] = [...under, process.execPath, program, ...args]
  const child = execa(file, rest, {
    extendEnv: false,
    env: {
      PATH: process.env['PATH'],
      HOME: cwd ?? '/',
      TZ: 'UTC',
      LANG: 'C.UTF-8',
      // shared by all, as it is where the program is installed
      NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'),
      ...windowsNeeds(cwd),
      ...env,
    },
    ...(cwd === undefined ? {} : { cwd }),
    ...(input === undefined ? { stdin: 'ignore' } : { input }),
    buffer: false,
    reject: false,
  } as object) as unknown as ResultPromise<{ buffer: false; reject: false }>
  const said = new Said()
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said.stdout += text
    if (closeStdoutAfter !== undefined && said.stdout.length >= closeStdoutAfter) child.stdout.destroy()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (said.stderr += text))
  let running = true
  const ended = child.then(({ exitCode, signal }) => {
    running = false
    const ran = new Ran(said, exitCode, signal)
    checkRun(ran, args)
    return ran
  })
  ended.catch(() => undefined)
  onTestFinished(() => void (running && child.kill('SIGKILL')))
  return { pid: child.pid as number, said, ended, kill: (signal) => child.kill(signal), running: () => running }
}

/** Without these no program starts on Windows, or it finds the settings of whoever runs the tests. */
function windowsNeeds(folder = '/'): Record<string, string | undefined> {
  if (process.platform !== 'win32') return {}
  const { SystemRoot, TEMP } = process.env
  return { SystemRoot, TEMP, TMP: TEMP, USERPROFILE: folder, APPDATA: folder, LOCALAPPDATA: folder }
}

/** What holds for every run there is. */
function checkRun(ran: Ran, args: readonly string[]): void {
  const context = `lumina ${args.join(' ')} → ${ran.code}\n${ran.stderr}`
  expect(ran.stderr, context).not.toMatch(/^\s+at .*[:(]\d+/m)
  expect(ran.stderr, context).not.toContain('internal error')
  expect(ran.code, context).not.toBe(70)
  // oxlint-disable-next-line no-control-regex
  expect(ran.stdout + ran.stderr, context).not.toMatch(
    /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/,
  )
  const [summary] = ran.of('summary')
  if (summary) checkSummary(ran, summary, context)
  const [verdict] = ran.of('verify-summary')
  if (verdict) expect(verdict.found, context).toBe(verdict.verified + verdict.notStored)
}

/** Law 1: found = uploaded + skipped + failed, and every file that was found has exactly one outcome. */
function checkSummary(
  ran: Ran,
  { found, uploaded, skipped, failed, skippedBy, failedBy }: EventOf<'summary'>,
  context: string,
): void {
  const sum = (counts: object): number => Object.values(counts).reduce((total: number, each: number) => total + each, 0)
  expect(found, context).toBe(uploaded + skipped + failed)
  expect(sum(skippedBy), context).toBe(skipped)
  expect(sum(failedBy), context).toBe(failed)
  const ends = ran.events.filter(({ event }) => event === 'uploaded' || event === 'skipped' || event === 'failed')
  expect(ran.of('uploaded').length, context).toBe(uploaded)
  expect(ran.of('skipped').length, context).toBe(skipped)
  expect(ran.of('failed').length, context).toBe(failed)
  const paths = ends.map((event) => (event as { path: string }).path)
  expect(new Set(paths).size, `${context}\na file has two outcomes`).toBe(paths.length)
  expect(
    ran
      .of('found')
      .map(({ path }) => path)
      .toSorted(),
    context,
  ).toEqual(paths.toSorted())
}

/** Waits for something to be seen, looking again and again. @throws after `limitMs` */
export async function until<T>(what: string, look: () => T | undefined | false, limitMs = 30_000): Promise<T> {
  const endMs = Date.now() + limitMs
  for (;;) {
    const seen = look()
    if (seen !== undefined && seen !== false) return seen
    if (Date.now() > endMs) throw new Error(`It never came to this: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
