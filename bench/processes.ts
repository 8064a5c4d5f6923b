import { existsSync, readFileSync, readdirSync } from 'node:fs'

/** One look at a process and all its descendants. */
export interface Sample {
  readonly atMs: number
  /** Of the largest process, now. */
  readonly rssBytes: number
  /** Of the largest process, since it started. */
  readonly peakRssBytes: number
  /** Of all of them, and of those that ended and were waited for. */
  readonly cpuSeconds: number
}

export const canSample = existsSync('/proc/self/status')

// USER_HZ: what the kernel shows to programs, 100 on every Linux that Node runs on.
const ticksPerSecond = 100

/** Looks at a process tree; undefined when it is gone. */
export function sampleTree(pid: number): Sample | undefined {
  const found = treeOf(pid).flatMap((id) => lookAt(id) ?? [])
  if (found.length === 0) return undefined
  return {
    atMs: performance.now(),
    rssBytes: Math.max(...found.map((process) => process.rssBytes)),
    peakRssBytes: Math.max(...found.map((process) => process.peakRssBytes)),
    cpuSeconds: found.reduce((sum, process) => sum + process.cpuSeconds, 0),
  }
}

function treeOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(treeOf)]
}

// A child belongs to the thread that forked it, so every thread is asked.
function childrenOf(pid: number): number[] {
  const tasks = `/proc/${pid}/task`
  const threads = orNothing(() => readdirSync(tasks)) ?? []
  return threads.flatMap((thread) => numbersIn(orNothing(() => readFileSync(`${tasks}/${thread}/children`, 'utf8'))))
}

const numbersIn = (text: string | undefined): number[] => text?.match(/\d+/g)?.map(Number) ?? []

function lookAt(pid: number): Omit<Sample, 'atMs'> | undefined {
  const status = orNothing(() => readFileSync(`/proc/${pid}/status`, 'latin1'))
  const stat = orNothing(() => readFileSync(`/proc/${pid}/stat`, 'latin1'))
  if (status === undefined || stat === undefined) return undefined
  return {
    rssBytes: kibibytesIn(status, 'VmRSS') * 1024,
    peakRssBytes: kibibytesIn(status, 'VmHWM') * 1024,
    cpuSeconds: ticksIn(stat) / ticksPerSecond,
  }
}

function kibibytesIn(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0)
}

/** utime, stime, cutime and cstime: fields 14 to 17, counted behind the name, which may hold blanks and brackets. */
function ticksIn(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
}

/** A process may end between any two looks at it. */
function orNothing<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}
