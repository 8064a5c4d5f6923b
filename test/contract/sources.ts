import type { Source } from '../../src/client/destination.ts'

/** Bytes that look like nothing, and are the same for the same seed: xorshift32. */
export function content(bytes: number, seed = 1): Uint8Array {
  const all = new Uint8Array(bytes)
  let state = seed * 2_654_435_761 || 1
  for (let at = 0; at < bytes; at++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    all[at] = state
  }
  return all
}

export interface SourceOptions {
  modifiedMs?: number
  /** Reads take a turn of the event loop. */
  slow?: boolean
  /** The most that one read gives. */
  pieceBytes?: number
  /** Called before the read that would give the byte at `offset`; it may throw. */
  before?: { offset: number; act: () => void }
  /** From here on there is nothing more. */
  endsAt?: number
}

/** `bytes` as a file would give them. */
export function sourceOf(bytes: Uint8Array, options: SourceOptions = {}): Source {
  const { before, slow = false, pieceBytes = Number.POSITIVE_INFINITY, endsAt = bytes.length } = options
  const read = (into: Uint8Array, offset: number): number => {
    const length = Math.max(0, Math.min(into.length, pieceBytes, endsAt - offset))
    if (before && offset <= before.offset && before.offset < offset + Math.max(1, length)) before.act()
    into.set(bytes.subarray(offset, offset + length))
    return length
  }
  return {
    bytes: bytes.length,
    kind: 'image/jpeg',
    ...(options.modifiedMs === undefined ? {} : { modifiedMs: options.modifiedMs }),
    read: slow
      ? async (into, offset) => {
          await new Promise(setImmediate)
          return read(into, offset)
        }
      : read,
  }
}

/** A source whose disk fails at `offset`, after what lies before it was given. */
export function failingAt(
  bytes: Uint8Array,
  offset: number,
  error: () => unknown,
  options: SourceOptions = {},
): Source {
  const whole = sourceOf(bytes, options)
  return {
    ...whole,
    read: (into, at) => {
      if (at >= offset) throw error()
      return whole.read(into.subarray(0, Math.min(into.length, offset - at)), at)
    },
  }
}

export async function collect(chunks: AsyncIterable<Uint8Array> | undefined): Promise<Buffer> {
  const parts: Buffer[] = []
  // a chunk is valid only until the next is asked for
  for await (const chunk of chunks ?? []) parts.push(Buffer.from(chunk))
  return Buffer.concat(parts)
}
