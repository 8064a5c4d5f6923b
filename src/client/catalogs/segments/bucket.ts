import { LuminaError } from '../../../errors.ts'
import type { CallContext, Destination, Key, Source, StoredObject } from '../../destination.ts'

/** A destination, as the catalog uses it. */
export interface Bucket {
  /** For messages. */
  readonly name: string
  /** What can't be listed or read there can't be asked. */
  readonly readable: boolean
  readonly removable: boolean
  list(prefix: Key): AsyncIterable<StoredObject>
  /** Its chunks; undefined when it went. */
  read(path: Key, take: (chunk: Uint8Array) => void): Promise<boolean>
  /** Durably stored when it returns. @throws `key-taken` */
  put(path: Key, text: string): Promise<void>
  remove(path: Key): Promise<void>
}

export function bucketOf(destination: Destination, ctx: CallContext = unhurried): Bucket {
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
        if (error instanceof LuminaError && error.code === 'not-found') return false
        throw error
      }
    },
    async put(path, text) {
      await destination.put(path, sourceOf(Buffer.from(text)), ctx)
    },
    async remove(path) {
      await destination.remove?.(path, ctx)
    },
  }
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
