import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import type { Contender, Target } from '../contender.ts'
import { datasetIn, needOf, type DatasetSpec } from '../datasets.ts'
import { luminaCommand } from '../lumina.ts'
import { compareAll, type Rival } from '../pairs.ts'
import { lacksRoom } from '../places.ts'
import type { Section } from '../sections.ts'
import { warmUp } from '../tree.ts'
import { scaled, type Workbench } from '../workbench.ts'
import { count, oneFile, photoFiles, smallFiles } from './specs.ts'

const latencyMs = 50

/** First runs to a storage service of another process, against the bare cost of the same requests. */
export async function service(bench: Workbench): Promise<Section[]> {
  const { tmpfs } = bench
  if (typeof tmpfs === 'string')
    return [{ kind: 'skipped', benchmark: 'service', title: 'to a storage service', reason: tmpfs }]
  const photos = scaled(bench, 600)
  const files = scaled(bench, 5000)
  const far = scaled(bench, 1000)
  return [
    await run(bench, `${count(photos)} × 4 MB`, photoFiles(photos), 0, bareRival),
    await run(bench, `${count(files)} × 4-20 KB`, smallFiles(files), 0, bareRival),
    await run(bench, `${count(far)} × 4-20 KB, ${latencyMs} ms away`, smallFiles(far), latencyMs, (at) => [
      rival({ peerOverLuminaAtLeast: 1.5 }, () => upload(bench, at, ['--max-concurrency', '4'])),
    ]),
    await run(bench, '1 GB in pieces', oneFile(scaled(bench, 1000) * 1_000_000), 0, bareRival),
  ]
}

interface At {
  url: string
  direct: string
  key: string
  source: string
}

async function run(
  bench: Workbench,
  what: string,
  spec: DatasetSpec,
  latency: number,
  rivals: (at: At) => Rival[],
): Promise<Section> {
  const place = bench.tmpfs as Exclude<Workbench['tmpfs'], string>
  const named = { benchmark: 'service', title: `first run to a storage service, ${what}` } as const
  const reason = lacksRoom(place, needOf(place, spec, 1))
  if (reason !== undefined) return { kind: 'skipped', ...named, reason }
  const { path: source } = datasetIn(place, spec, bench.log)
  warmUp(source)
  const server = await startServer(latency)
  try {
    const at = { ...server.at, source }
    return { kind: 'pairs', ...named, comparisons: await compareAll(bench, place, upload(bench, at), rivals(at)) }
  } finally {
    server.stop()
  }
}

async function startServer(latency: number): Promise<{ at: Omit<At, 'source'>; stop: () => void }> {
  const script = join(import.meta.dirname, '../storage/server.ts')
  const child = spawn(process.execPath, [script, `${latency}`], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return { at: JSON.parse(line.toString()) as Omit<At, 'source'>, stop: () => child.stdin.end() }
}

let buckets = 0

/** Each run has a bucket of its own: nothing in it is known. */
async function newBucket({ direct, key }: At): Promise<string> {
  const id = `run-${++buckets}`
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const answer = await fetch(`${direct}/storage/v1/bucket`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ id, name: id }),
  })
  if (!answer.ok) throw new Error(`no bucket: ${answer.status}`)
  return id
}

function upload({ options }: Workbench, at: At, more: readonly string[] = []): Contender {
  return {
    name: ['lumina upload', ...more].join(' '),
    besides: 'SHA-256 and MD5 of every file, a look at each object afterwards, a catalog in the bucket, a ledger',
    async trial(room) {
      const to = `supabase://${await newBucket(at)}`
      const args = ['upload', at.source, '--to', to, '--state', join(room, 'state'), '-q', '--no-progress', ...more]
      return {
        command: { ...luminaCommand(options.program, args), env: { SUPABASE_URL: at.url, SUPABASE_KEY: at.key } },
      }
    },
  }
}

const rival = (target: Target, make: () => Contender): Rival => ({ tool: 'sh', target, make })

const bareRival = (at: At): Rival[] => [rival({ luminaOverPeerAtMost: 1.3 }, () => bare(at))]

function bare(at: At): Contender {
  return {
    name: 'bare requests',
    besides:
      'the same POST and HEAD a file by node:http, 4 at once, one plain POST whatever the size; no digest, nothing kept',
    async trial() {
      const script = join(import.meta.dirname, '../storage/bare.ts')
      const args = [script, at.url, await newBucket(at), at.source, '4']
      return { command: { program: process.execPath, args, env: { SUPABASE_KEY: at.key } } }
    },
  }
}
