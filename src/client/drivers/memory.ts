import { LuminaError } from '../../errors.ts'
import type { CallContext, Destination, Key, ResumeToken, Source, StoredObject } from '../destination.ts'

export interface MemoryOptions {
  name?: string
  /** As on a destination that has no conditional writes: the last writer wins. */
  atomicNoClobber?: boolean
  /** A resumable transfer is given its key when it begins, as by tus services. */
  keyAtBegin?: boolean
  maxObjectBytes?: number
}

export interface MemoryDestination extends Destination {
  readonly objects: Map<Key, Uint8Array>
}

/** Objects in this process's memory: for tests, and the shape of a driver at its barest. */
export function memoryDestination(options: MemoryOptions = {}): MemoryDestination {
  const objects = new Map<Key, Uint8Array>()
  const begun = new Map<string, Uint8Array[]>()
  const atomic = options.atomicNoClobber ?? true

  const publish = (key: Key, content: Uint8Array): StoredObject => {
    if (atomic && objects.has(key)) throw taken(key)
    objects.set(key, content)
    return { key, bytes: content.length }
  }
  const held = (token: ResumeToken): Uint8Array[] | undefined => begun.get(String(token['id']))

  return {
    name: options.name ?? 'memory',
    objects,
    traits: {
      atomicNoClobber: atomic,
      keyAtFinish: !options.keyAtBegin,
      maxObjectBytes: options.maxObjectBytes ?? Number.MAX_SAFE_INTEGER,
      checksum: 'none',
      keyRules: { maxSegmentBytes: 255, maxKeyBytes: 1024 },
    },
    async stat(key) {
      const content = objects.get(key)
      return content && { key, bytes: content.length }
    },
    async put(key, source, ctx) {
      if (atomic && objects.has(key)) throw taken(key)
      const content = await readAll(source, ctx)
      return publish(key, content)
    },
    async *get(key, from) {
      const content = objects.get(key)
      if (!content) throw new LuminaError('not-found', `There is no ${key}.`)
      yield content.subarray(from)
    },
    async move(from, to) {
      const content = objects.get(from)
      if (!content) throw new LuminaError('not-found', `There is no ${from}.`)
      publish(to, content)
      objects.delete(from)
    },
    async *list(prefix) {
      for (const [key, content] of [...objects].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
        if (key.startsWith(prefix)) yield { key, bytes: content.length }
      }
    },
    async remove(key) {
      objects.delete(key)
    },
    resumable: {
      minBytes: 0,
      async begin(key) {
        const id = crypto.randomUUID()
        begun.set(id, [])
        return options.keyAtBegin ? { id, key } : { id }
      },
      async offset(token, source, ctx) {
        const parts = held(token)
        if (!parts) return undefined
        const have = Buffer.concat(parts)
        const match = await commonPrefix(have, source, ctx)
        begun.set(String(token['id']), [have.subarray(0, match)])
        return match
      },
      async append(token, source, offset, ctx) {
        const parts = held(token)
        if (!parts) throw forgotten()
        const have = Buffer.concat(parts)
        if (have.length < offset)
          throw new LuminaError('io', `Only ${have.length} bytes are held.`, { retry: 'transient' })
        parts.splice(0, parts.length, have.subarray(0, offset))
        for await (const chunk of read(source, offset, ctx)) parts.push(chunk)
        return source.bytes
      },
      async finish(token, key, source) {
        const parts = held(token)
        if (!parts) throw forgotten()
        const content = Buffer.concat(parts)
        if (content.length !== source.bytes) throw changed()
        if (options.keyAtBegin && token['key'] !== key) throw new LuminaError('bug', `It was begun as ${token['key']}.`)
        const stored = publish(key, content)
        begun.delete(String(token['id']))
        return stored
      },
      async abort(token) {
        begun.delete(String(token['id']))
      },
    },
  }
}

function taken(key: Key): LuminaError {
  return new LuminaError('key-taken', `${key} exists already.`)
}

function forgotten(): LuminaError {
  return new LuminaError('not-found', 'The transfer is not known any more.')
}

function changed(): LuminaError {
  return new LuminaError('changed-while-reading', 'The source gave other than its bytes.', { retry: 'transient' })
}

const chunkBytes = 65_536

async function* read(source: Source, from: number, ctx: CallContext): AsyncGenerator<Uint8Array> {
  for (let at = from; at < source.bytes;) {
    ctx.checkpoint()
    const chunk = new Uint8Array(Math.min(chunkBytes, source.bytes - at))
    const got = await source.read(chunk, at)
    if (got === 0) throw changed()
    at += got
    yield chunk.subarray(0, got)
    ctx.progress?.(at)
  }
}

async function readAll(source: Source, ctx: CallContext): Promise<Uint8Array> {
  const content = new Uint8Array(source.bytes)
  let at = 0
  for await (const chunk of read(source, 0, ctx)) {
    content.set(chunk, at)
    at += chunk.length
  }
  return content
}

async function commonPrefix(have: Uint8Array, source: Source, ctx: CallContext): Promise<number> {
  const chunk = new Uint8Array(chunkBytes)
  let at = 0
  while (at < have.length) {
    ctx.checkpoint()
    const got = await source.read(chunk.subarray(0, Math.min(chunk.length, have.length - at)), at)
    if (got === 0) break
    for (let i = 0; i < got; i++) if (chunk[i] !== have[at + i]) return at + i
    at += got
  }
  return at
}
