import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os'

import { howMeasured } from './measure.ts'
import { isInstalled } from './peers.ts'
import { cores, type Workbench } from './workbench.ts'

/** What the figures were measured on and with: enough to judge them, nothing that names a person's machine. */
export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly memoryGigabytes: number
  readonly system: string
  readonly node: string
  readonly fileSystems: readonly string[]
  readonly peers: Readonly<Record<string, string>>
  /** Others' work in the minute before; above a tenth of the cores the spread tells more than the median. */
  readonly loadBefore: number
  readonly howMeasured: string
}

const versionArgs: Readonly<Record<string, readonly string[]>> = {
  rclone: ['version'],
  restic: ['version'],
  rsync: ['--version'],
  openssl: ['version'],
  cp: ['--version'],
  find: ['--version'],
}

export function describeMachine({ disk, tmpfs }: Workbench): Machine {
  return {
    processor: processorName(),
    cores,
    memoryGigabytes: Math.round(totalmem() / 1e9),
    system: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    fileSystems: [disk.fileSystem, typeof tmpfs === 'string' ? 'no tmpfs' : tmpfs.fileSystem],
    peers: Object.fromEntries(Object.entries(versionArgs).map(([tool, args]) => [tool, versionOf(tool, args)])),
    loadBefore: loadavg()[0] ?? 0,
    howMeasured,
  }
}

export function machineLines(machine: Machine): string[] {
  const peers = Object.entries(machine.peers).map(([tool, version]) => `${tool} ${version}`)
  return [
    `${machine.processor}, ${machine.cores} cores, ${machine.memoryGigabytes} GB, ${machine.system}, Node ${machine.node}`,
    `${machine.fileSystems.join(' and ')}; caches warm; load before ${machine.loadBefore.toFixed(2)}; ${machine.howMeasured}`,
    peers.join(' · '),
  ]
}

function processorName(): string {
  const unknown = cpus()[0]?.model ?? 'unknown processor'
  try {
    return /^model name\s*:\s*(.+)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? unknown
  } catch {
    return unknown
  }
}

function versionOf(tool: string, args: readonly string[]): string {
  if (!isInstalled(tool)) return 'not installed'
  try {
    const text = execFileSync(tool, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    return /\d+(\.\d+)+/.exec(text)?.[0] ?? 'of unknown version'
  } catch {
    return 'of unknown version'
  }
}
