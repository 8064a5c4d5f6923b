import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { decode, encode, type Line } from '../../../src/client/catalogs/log/file.ts'
import { type LogCatalog, logCatalog, type LogCatalogOptions } from '../../../src/client/catalogs/log.ts'
import type { CatalogEntry } from '../../../src/client/destination.ts'
import { codeOf } from '../../contract/calls.ts'
import { testCatalog } from '../../contract/catalog.ts'
import { claimOf, digestOf, entryOf } from '../../contract/catalog-entries.ts'
import { openElsewhere } from '../../contract/elsewhere.ts'

for (const kind of ['log, one machine', 'log, many machines']) {
  testCatalog(kind, (clock) => {
    const folder = mkdtempSync(join(tmpdir(), 'lumina-catalog-'))
    const nowMs = (): number => clock.nowMs
    return {
      nowMs,
      open: (user) => openElsewhere(kind, folder, { ...user, nowMs }),
      elsewhere: { kind, folder },
      dispose: () => rmSync(folder, { recursive: true, force: true }),
    }
  })
}

let folder: string
let path: string
let open: LogCatalog[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lumina-log-'))
  path = join(folder, 'catalog.ndjson')
  open = []
})
afterEach(async () => {
  for (const catalog of open) await catalog.close()
  rmSync(folder, { recursive: true, force: true })
})

let machines = 0
/** As another machine, with no index yet, unless it is told which. */
const connect = (options: Partial<LogCatalogOptions> = {}): LogCatalog => {
  const indexPath = join(folder, `index-${machines++}.db`)
  const catalog = logCatalog({ path, indexPath, id: 'test', holder: 'me', lockLeaseMs: 2000, ...options })
  open.push(catalog)
  return catalog
}
const keys = async (catalog: LogCatalog): Promise<string[]> => {
  const found: string[] = []
  for await (const { key } of catalog.entries()) found.push(key)
  return found
}
const linesOf = (text: string): (Line | undefined)[] => text.split('\n').filter(Boolean).map(decode)
const recorded = (...texts: string[]): string =>
  encode({ change: 'record', holder: 'other', entries: texts.map((text): CatalogEntry => entryOf(text)) })

describe('the log', () => {
  it('is one line of JSON a change, with a checksum', async () => {
    const catalog = connect()
    await catalog.claim([claimOf('a'), claimOf('b')])
    await catalog.record([entryOf('a'), entryOf('b')])
    await catalog.forget(['a.jpg'])
    const lines = readFileSync(path, 'utf8').split('\n')
    expect(lines.pop()).toBe('')
    expect(lines.map((line) => (JSON.parse(line) as { data: Line }).data.change)).toEqual([
      'begin',
      'grant',
      'record',
      'forget',
    ])
    expect(linesOf(lines.join('\n'))).toHaveLength(4)
  })

  it('says nothing of wishes that were not granted', async () => {
    const catalog = connect()
    await catalog.claim([claimOf('a')])
    const { size } = statSync(path)
    await catalog.claim([claimOf('a'), claimOf('b', { key: 'a.jpg' })])
    await connect({ holder: 'other' }).renew()
    expect(statSync(path).size).toBe(size)
  })

  it('knows every line that was changed in any bit', () => {
    const line = recorded('a').slice(0, -1)
    expect(decode(line)).toMatchObject({ change: 'record' })
    for (let at = 0; at < line.length; at++) {
      const changed = `${line.slice(0, at)}${String.fromCharCode(line.charCodeAt(at) ^ 1)}${line.slice(at + 1)}`
      expect(decode(changed)).toBeUndefined()
      expect(decode(line.slice(0, at))).toBeUndefined()
    }
  })

  it('grants leases by the clock of the file server, whatever this machine believes', async () => {
    const stamp = (): number => {
      writeFileSync(join(folder, 'stamp'), 'x')
      return statSync(join(folder, 'stamp')).mtimeMs
    }
    const fromMs = stamp()
    await connect().claim([claimOf('a')])
    const toMs = stamp()
    const [answer] = await connect({ holder: 'other' }).claim([claimOf('a')])
    if (answer?.answer !== 'held') throw new Error('held')
    expect(answer.untilMs - 60_000).toBeGreaterThanOrEqual(Math.floor(fromMs))
    expect(answer.untilMs - 60_000).toBeLessThanOrEqual(toMs)
  })

  it('frees what a holder had claimed when it comes back', async () => {
    await connect().claim([claimOf('a')])
    await connect({ holder: 'other' }).claim([claimOf('b')])
    const again = connect()
    await again.releaseOwn()
    const answers = await again.claim([claimOf('x', { key: 'a.jpg' }), claimOf('b')])
    expect(answers.map(({ answer }) => answer)).toEqual(['granted', 'held'])
  })

  it('is not understood once a newer Lumina has written to it', async () => {
    const catalog = connect()
    await catalog.record([entryOf('a')])
    const newer = JSON.parse(JSON.stringify({ change: 'compact', into: 'x' })) as Line
    appendFileSync(path, encode(newer))
    for (const who of [catalog, connect()]) {
      expect(await codeOf(who.known([digestOf('a')]))).toBe('state-newer')
      expect(await codeOf(who.record([entryOf('b')]))).toBe('state-newer')
    }
    expect(readFileSync(path, 'utf8').endsWith(encode(newer))).toBe(true)
    expect(existsSync(`${path}.lock`)).toBe(false)
  })
})

describe('a log that was damaged', () => {
  it.each([1, 20, 200])(
    'at its end, by a crash, loses that change and no other (%i bytes were written)',
    async (bytes) => {
      const before = connect()
      await before.record([entryOf('a')])
      appendFileSync(path, recorded('torn').slice(0, bytes))
      expect(await keys(before)).toEqual(['a.jpg'])
      await before.record([entryOf('b')])
      for (const who of [before, connect()]) {
        expect(await keys(who)).toEqual(['a.jpg', 'b.jpg'])
        expect(await who.known([digestOf('torn')])).toEqual(new Map())
      }
    },
  )

  it('only by the loss of its last newline, means the same to all machines', async () => {
    const writer = connect()
    await writer.record([entryOf('a')])
    appendFileSync(path, recorded('whole').slice(0, -1))
    const [answer] = await writer.claim([claimOf('whole', { key: 'again.jpg' })])
    expect(answer).toEqual({ answer: 'known', key: 'whole.jpg' })
    for (const who of [writer, connect()]) expect(await keys(who)).toEqual(['a.jpg', 'whole.jpg'])
  })

  it('in the middle, loses the lines that are damaged, for readers as for writers', async () => {
    const writer = connect()
    for (const text of ['a', 'b', 'c', 'd']) await writer.record([entryOf(text)])
    const lines = readFileSync(path, 'utf8').split('\n')
    lines[2] = (lines[2] as string).replace('b.jpg', 'x.jpg')
    lines[3] = '\0'.repeat(100)
    writeFileSync(path, lines.join('\n'))
    expect(await keys(connect())).toEqual(['a.jpg', 'd.jpg'])
    const late = connect()
    await late.record([entryOf('e')])
    expect(await keys(late)).toEqual(['a.jpg', 'd.jpg', 'e.jpg'])
  })

  it('even where it began, goes on', async () => {
    const writer = connect()
    await writer.record([entryOf('a')])
    const lines = readFileSync(path, 'utf8').split('\n')
    writeFileSync(path, ['garbage', ...lines.slice(1)].join('\n'))
    const reader = connect()
    expect(await keys(reader)).toEqual(['a.jpg'])
    expect((await reader.identity()).epoch).toBeGreaterThan(0)
    expect(await connect().identity()).toEqual(await reader.identity())
  })

  it('by a line without end, is read past it', async () => {
    const writer = connect()
    await writer.record([entryOf('a')])
    appendFileSync(path, `${'x'.repeat(40 * 1024 * 1024)}\n${recorded('b')}`)
    expect(await keys(connect())).toEqual(['a.jpg', 'b.jpg'])
  })

  it('is waited for while a line of it is being written', async () => {
    const reader = connect()
    await reader.record([entryOf('a')])
    const line = recorded('b')
    appendFileSync(path, line.slice(0, 50))
    expect(await keys(reader)).toEqual(['a.jpg'])
    expect(readFileSync(path, 'utf8').endsWith(line.slice(0, 50))).toBe(true)
    appendFileSync(path, line.slice(50))
    expect(await keys(reader)).toEqual(['a.jpg', 'b.jpg'])
  })
})

describe('a log of which only the end has arrived yet', () => {
  it('is read once the one who writes it is done', async () => {
    const writer = connect()
    await writer.record([entryOf('a')])
    const [line, rest] = [recorded('b'), recorded('c')]
    const at = statSync(path).size
    // as another machine may see it whose pages come in another order
    appendFileSync(path, `${'\0'.repeat(line.length - 1)}\n${rest}`)
    writeFileSync(`${path}.lock`, '{"holder":"the writer"}')
    let read: string[] | undefined
    const reading = keys(connect()).then((found) => (read = found))
    await setTimeout(100)
    expect(read).toBeUndefined()
    const fd = openSync(path, 'r+')
    writeSync(fd, line, at)
    closeSync(fd)
    rmSync(`${path}.lock`)
    await reading
    expect(read).toEqual(['a.jpg', 'b.jpg', 'c.jpg'])
  })
})

describe('the index', () => {
  it('may be lost at any time', async () => {
    const indexPath = join(folder, 'index.db')
    const catalog = connect({ indexPath })
    await catalog.record([entryOf('a')])
    await catalog.claim([claimOf('b')])
    const identity = await catalog.identity()
    await catalog.close()
    rmSync(indexPath)
    const again = connect({ indexPath })
    expect(await again.identity()).toEqual(identity)
    expect(await keys(again)).toEqual(['a.jpg'])
    expect(await again.claim([claimOf('b')])).toMatchObject([{ answer: 'held' }])
  })

  it.each([
    ['garbage', 'This is no database. '.repeat(1000)],
    ['nothing', ''],
  ])('may be turned to %s', async (_, content) => {
    const indexPath = join(folder, 'index.db')
    const catalog = connect({ indexPath })
    await catalog.record([entryOf('a')])
    await catalog.close()
    writeFileSync(indexPath, content)
    expect(await keys(connect({ indexPath }))).toEqual(['a.jpg'])
  })

  it('may be damaged in mid-run', async () => {
    const indexPath = join(folder, 'index.db')
    const catalog = connect({ indexPath })
    await catalog.record(Array.from({ length: 1000 }, (_, at) => entryOf(`${at}`)))
    const other = connect({ indexPath, holder: 'other' })
    await other.close()
    for (const suffix of ['', '-wal']) {
      const { size } = statSync(indexPath + suffix)
      writeFileSync(indexPath + suffix, Buffer.alloc(size, 0x55))
    }
    await catalog.record([entryOf('a')])
    expect(await keys(catalog)).toHaveLength(1001)
    expect(await catalog.known([digestOf('a'), digestOf('7')])).toEqual(
      new Map([
        [digestOf('a'), 'a.jpg'],
        [digestOf('7'), '7.jpg'],
      ]),
    )
  })

  it.each<[string, () => void]>([
    ['is gone', () => rmSync(path)],
    ['is empty', () => truncateSync(path, 0)],
  ])('forgets all when the log %s, and the next one is another epoch', async (_, lose) => {
    const catalog = connect()
    await catalog.record([entryOf('a')])
    const { epoch } = await catalog.identity()
    lose()
    expect(await catalog.known([digestOf('a')])).toEqual(new Map())
    expect((await catalog.identity()).epoch).toBeGreaterThan(epoch)
    await catalog.record([entryOf('b')])
    for (const who of [catalog, connect()]) expect(await keys(who)).toEqual(['b.jpg'])
  })

  it('is made anew for a log that shrank, and for another in its place, shorter or longer', async () => {
    const one = connect()
    await one.record([entryOf('a')])
    const early = readFileSync(path)
    await one.record([entryOf('b')])
    const late = readFileSync(path)
    writeFileSync(path, early)
    expect(await keys(one)).toEqual(['a.jpg'])
    // the same beginning, and then something else, longer than what was read
    writeFileSync(path, Buffer.concat([early, Buffer.from(recorded('c', 'd', 'e', 'f'))]))
    expect(await keys(one)).toEqual(['a.jpg', 'c.jpg', 'd.jpg', 'e.jpg', 'f.jpg'])
    writeFileSync(path, late)
    expect(await keys(one)).toEqual(['a.jpg', 'b.jpg'])

    const other = join(folder, 'other.ndjson')
    const elsewhere = connect({ path: other })
    for (let at = 0; at < 20; at++) await elsewhere.record([entryOf(`x${at + 10}`)])
    writeFileSync(path, readFileSync(other))
    expect(await keys(one)).toHaveLength(20)
    expect(await one.identity()).toEqual(await elsewhere.identity())
  })

  it('reads a log of any length in steps', async () => {
    const entries = Array.from({ length: 6000 }, (_, at) => entryOf(`${at + 10_000}`, { name: 'n'.repeat(600) }))
    const writer = connect()
    for (let at = 0; at < entries.length; at += 1000) await writer.record(entries.slice(at, at + 1000))
    expect(statSync(path).size).toBeGreaterThan(4 * 1024 * 1024)
    expect(await keys(connect())).toHaveLength(6000)
  })
})

describe('the lock', () => {
  const foreign = '{"holder":"another machine","nonce":"x"}\n'

  it('leaves nothing behind', async () => {
    const catalog = connect()
    await catalog.record([entryOf('a')])
    await Promise.all(Array.from({ length: 10 }, (_, at) => catalog.record([entryOf(`${at}`)])))
    expect(readdirSync(folder).filter((name) => name.startsWith('catalog'))).toEqual(['catalog.ndjson'])
  })

  it('is taken over from a holder that died', async () => {
    const catalog = connect({ lockLeaseMs: 200 })
    await catalog.record([entryOf('a')])
    writeFileSync(`${path}.lock`, foreign)
    utimesSync(`${path}.lock`, new Date(0), new Date(0))
    // as did somebody who was about to take it over
    writeFileSync(`${path}.lock.break`, 'x')
    utimesSync(`${path}.lock.break`, new Date(0), new Date(0))
    await catalog.record([entryOf('b')])
    expect(await keys(connect())).toEqual(['a.jpg', 'b.jpg'])
    expect(readdirSync(folder).filter((name) => name.includes('.lock'))).toEqual([])
  })

  it('is not taken from a holder that still writes to it, however slow it is', async () => {
    const catalog = connect({ lockLeaseMs: 40 })
    await catalog.record([entryOf('a')])
    const { size } = statSync(path)
    writeFileSync(`${path}.lock`, foreign)
    const later = new Date(Date.now() + 3_600_000)
    utimesSync(`${path}.lock`, later, later)
    let done = false
    const recording = catalog.record([entryOf('b')]).then(() => (done = true))
    // many times its lease; that it is not over by then is all that is asked
    await setTimeout(400)
    expect(done).toBe(false)
    expect(statSync(path).size).toBe(size)
    expect(readFileSync(`${path}.lock`, 'utf8')).toBe(foreign)
    // reading needs no lock
    expect(await keys(connect())).toEqual(['a.jpg'])
    rmSync(`${path}.lock`)
    await recording
    expect(await keys(connect())).toEqual(['a.jpg', 'b.jpg'])
  })

  it('that was lost in the middle lets nothing be written, and nothing be believed', async () => {
    await connect({ holder: 'dead' }).claim([claimOf('a')])
    const { size } = statSync(path)
    let looks = 0
    const catalog = connect({
      holderAlive: () => {
        if (looks++ === 0) writeFileSync(`${path}.lock`, foreign)
        return false
      },
    })
    expect(await codeOf(catalog.claim([claimOf('a')]))).toBe('destination-busy')
    expect(statSync(path).size).toBe(size)
    // it is another's now
    expect(readFileSync(`${path}.lock`, 'utf8')).toBe(foreign)
    rmSync(`${path}.lock`)
    expect(await catalog.claim([claimOf('a')])).toEqual([{ answer: 'granted' }])
  })
})

describe('processes that are killed', () => {
  const entry = fileURLToPath(new URL('log-writer.ts', import.meta.url))

  /** A writer, the texts that it has acknowledged, and when it has acknowledged so many batches. */
  const start = (
    holder: string,
  ): { child: ChildProcess; acknowledged: string[]; batches: (count: number) => Promise<void> } => {
    const indexPath = join(folder, `index-of-${holder}.db`)
    const child = spawn(process.execPath, [entry, path, indexPath, holder, '2000'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const acknowledged: string[] = []
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
    lines.on('line', (line) => acknowledged.push(...line.split(' ')))
    const batches = async (count: number): Promise<void> => {
      while (acknowledged.length < count * 20) await once(lines, 'line')
    }
    return { child, acknowledged, batches }
  }
  const kill = async ({ child }: { child: ChildProcess }): Promise<void> => {
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  it('lose nothing that they have acknowledged, and stop nobody else', async () => {
    const steady = start('steady')
    const all = [steady]
    for (let round = 1; round <= 4; round++) {
      const doomed = start(`doomed-${round}`)
      all.push(doomed)
      await doomed.batches(round)
      await kill(doomed)
      const { length } = steady.acknowledged
      await steady.batches(length / 20 + 1)
    }
    await kill(steady)

    const texts = all.flatMap(({ acknowledged }) => acknowledged)
    expect(texts.length).toBeGreaterThanOrEqual(20 * (1 + 2 + 3 + 4 + 4))
    const survivor = connect({ holder: 'survivor' })
    const known = await survivor.known(texts.map(digestOf))
    expect(texts.filter((text) => known.get(digestOf(text)) !== `${text}.jpg`)).toEqual([])
    await survivor.record([entryOf('after')])
    expect(await keys(survivor)).toEqual(await keys(connect()))
    expect(await keys(survivor)).toContain('after.jpg')
  })
})
