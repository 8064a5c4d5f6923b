import { type ErrorCode, LuminaError } from '../../../errors.ts'
import type { CallContext, Destination, Key, Source, StoredObject } from '../../destination.ts'

/** A destination, as the catalog uses it. */
export interface Bucket {
  /** For messages. */
  readonly name: string
  /** What can't be listed or read there can't be asked. */
  readonly readable: boolean
  readonly removable: boolean
  list(prefix: Key): AsyncIterable<StoredObject>
  /** Gives its chunks to `take`; false when it went. */
  read(path: Key, take: (chunk: Uint8Array) => void): Promise<boolean>
  /** Durably stored when it returns. @throws `key-taken` */
  put(path: Key, text: string): Promise<void>
  /** `put` under a name that nobody else draws. */
  add(path: Key, text: string): Promise<void>
  /** Gone when it returns, whoever did it. */
  remove(path: Key): Promise<void>
}

export function bucketOf(destination: Destination, ctx: CallContext = unhurried): Bucket {
  const put = async (path: Key, text: string): Promise<void> => {
    await destination.put(path, sourceOf(Buffer.from(text)), ctx)
  }
  return {
    name: destination.name,
    readable: destination.list !== undefined && destination.get !== undefined,
    removable: destination.remove !== undefined,
    list: (prefix) => destination.list?.(prefix, ctx) ?? nothing(),
    async read(path, take) {
      if (!destination.get) return false
      try {
        for await (const chunk of destination.get(path, 0, ctx)) take(chunk)
        return true
      } catch (error) {
        if (isFailure(error, 'not-found')) return false
        throw error
      }
    },
    put,
    async add(path, text) {
      try {
        await put(path, text)
      } catch (error) {
        if (!isFailure(error, 'key-taken')) throw error
        // an earlier try of this very put got through, and its answer was lost; or it was only begun
        const stored = await destination.stat(path, ctx)
        if (stored && stored.bytes !== Buffer.byteLength(text)) throw error
      }
    },
    async remove(path) {
      try {
        await destination.remove?.(path, ctx)
      } catch (error) {
        if (!isFailure(error, 'not-found')) throw error
      }
    },
  }
}

function isFailure(error: unknown, code: ErrorCode): boolean {
  return error instanceof LuminaError && error.code === code
}

const unhurried: CallContext = { signal: new AbortController().signal, checkpoint: () => undefined }

async function* nothing(): AsyncGenerator<StoredObject> {
  // what can't list has nothing to show
}

function sourceOf(content: Buffer): Source {
  return {
    bytes: content.length,
    kind: 'application/x-ndjson',
    read(into, offset) {
      const part = content.subarray(offset, offset + into.length)
      into.set(part)
      return part.length
    },
  }
}
