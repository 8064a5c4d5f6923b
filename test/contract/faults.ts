import type { CallContext, Destination, Resumable, Source } from '../../src/client/destination.ts'
import { LuminaError } from '../../src/errors.ts'
import { oneByOne } from '../../src/client/layers/around.ts'

/*
 * Destinations that fail, delay, lie and tear, made once and used everywhere:
 * https://github.com/kopia/kopia/tree/master/internal/blobtesting
 */

export type CallName =
  | 'stat'
  | 'put'
  | 'get'
  | 'list'
  | 'move'
  | 'remove'
  | 'freeBytes'
  | keyof Omit<Resumable, 'minBytes'>

/** What happens around each call; either may wait, and may throw. */
export interface Hooks {
  before?(name: CallName, ctx: CallContext): void | Promise<void>
  /** The destination has done it, and its answer is on the way. */
  after?(name: CallName): void | Promise<void>
}

/** `inner` with `hooks` around each of its calls; `get` and `list` are asked before their first item, and after each. */
export function hooked(inner: Destination, hooks: Hooks): Destination {
  const run = async <T>(name: CallName, ctx: CallContext, work: () => Promise<T>): Promise<T> => {
    await hooks.before?.(name, ctx)
    const answer = await work()
    await hooks.after?.(name)
    return answer
  }
  const items = <T>(name: CallName, ctx: CallContext, open: () => AsyncIterable<T>): AsyncIterable<T> => {
    let begun = false
    return oneByOne(open(), async (next) => {
      if (!begun) await hooks.before?.(name, ctx)
      begun = true
      const item = await next()
      await hooks.after?.(name)
      return item
    })
  }
  const get = inner.get?.bind(inner)
  const list = inner.list?.bind(inner)
  const move = inner.move?.bind(inner)
  const remove = inner.remove?.bind(inner)
  const freeBytes = inner.freeBytes?.bind(inner)
  const { resumable } = inner
  return {
    ...inner,
    stat: (key, ctx) => run('stat', ctx, () => inner.stat(key, ctx)),
    put: (key, source, ctx) => run('put', ctx, () => inner.put(key, source, ctx)),
    ...(get && { get: (key, from, ctx) => items('get', ctx, () => get(key, from, ctx)) }),
    ...(list && { list: (prefix, ctx) => items('list', ctx, () => list(prefix, ctx)) }),
    ...(move && { move: (from, to, ctx) => run('move', ctx, () => move(from, to, ctx)) }),
    ...(remove && { remove: (key, ctx) => run('remove', ctx, () => remove(key, ctx)) }),
    ...(freeBytes && { freeBytes: (ctx) => run('freeBytes', ctx, () => freeBytes(ctx)) }),
    ...(resumable && {
      resumable: {
        ...resumable,
        begin: (key, source, ctx) => run('begin', ctx, () => resumable.begin(key, source, ctx)),
        offset: (token, source, ctx) => run('offset', ctx, () => resumable.offset(token, source, ctx)),
        append: (token, source, offset, ctx) => run('append', ctx, () => resumable.append(token, source, offset, ctx)),
        finish: (token, key, source, ctx) => run('finish', ctx, () => resumable.finish(token, key, source, ctx)),
        abort: (token, ctx) => run('abort', ctx, () => resumable.abort(token, ctx)),
      },
    }),
  }
}

export function unreachable(): LuminaError {
  return new LuminaError('destination-unreachable', 'The connection was reset.', { retry: 'transient' })
}

/** Calls named `name` fail `times` times before they get through. */
export function failing(
  inner: Destination,
  name: CallName,
  times: number,
  error: () => Error = unreachable,
): Destination {
  let left = times
  return hooked(inner, {
    before(called) {
      if (called === name && left-- > 0) throw error()
    },
  })
}

/** Calls named `name` are done, and their answer is lost, `times` times: the end is ambiguous. */
export function forgetful(
  inner: Destination,
  name: CallName,
  times: number,
  error: () => Error = unreachable,
): Destination {
  let left = times
  return hooked(inner, {
    after(called) {
      if (called === name && left-- > 0) throw error()
    },
  })
}

/** Calls named `name` don't go on before `gate` opens, whatever their signal says. */
export function delaying(inner: Destination, name: CallName, gate: Promise<void>): Destination {
  return hooked(inner, {
    async before(called) {
      if (called === name) await gate
    },
  })
}

/** Says that it holds `byBytes` more, or fewer, than it does. */
export function lyingOffsets(inner: Destination, byBytes: number): Destination {
  const { resumable } = inner
  if (!resumable) return inner
  return {
    ...inner,
    resumable: {
      ...resumable,
      async offset(token, source, ctx) {
        const held = await resumable.offset(token, source, ctx)
        return held === undefined ? undefined : Math.max(0, Math.min(source.bytes, held + byBytes))
      },
    },
  }
}

/** Transfers are torn after `tornAt()` bytes of each try; `undefined` lets one through. */
export function tearing(
  inner: Destination,
  tornAt: () => number | undefined,
  error: () => Error = unreachable,
): Destination {
  const torn = (source: Source, offset: number): Source => {
    const afterBytes = tornAt()
    if (afterBytes === undefined) return source
    const end = offset + afterBytes
    return {
      ...source,
      read(into, at) {
        if (at >= end) throw error()
        return source.read(into.subarray(0, Math.min(into.length, end - at)), at)
      },
    }
  }
  const { resumable } = inner
  return {
    ...inner,
    put: (key, source, ctx) => inner.put(key, torn(source, 0), ctx),
    ...(resumable && {
      resumable: {
        ...resumable,
        append: (token, source, offset, ctx) => resumable.append(token, torn(source, offset), offset, ctx),
      },
    }),
  }
}
