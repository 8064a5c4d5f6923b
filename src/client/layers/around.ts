import type { CallContext, Destination, Source } from '../destination.ts'

/** Calls that ask, and calls that change something: a service may do the one and refuse the other. */
export type CallClass = 'ask' | 'change'

/** What a layer does about each call. */
export interface Around {
  call<T>(ctx: CallContext, work: (ctx: CallContext) => Promise<T>, what: CallClass): Promise<T>
  /** Calls that read `source`; without it, they are calls like any other. */
  reading?<T>(ctx: CallContext, source: Source, work: (ctx: CallContext, source: Source) => Promise<T>): Promise<T>
  /** What comes one by one; without it, asking for each is a call. */
  items?<T>(ctx: CallContext, open: (ctx: CallContext) => AsyncIterable<T>): AsyncIterable<T>
}

/** `inner` with each of its calls going through `how`. What `inner` lacks, the result lacks; `putHeld` can't wait for a layer. */
export function around({ putHeld: _, ...inner }: Destination, how: Around): Destination {
  const ask = <T>(ctx: CallContext, work: (ctx: CallContext) => Promise<T>): Promise<T> => how.call(ctx, work, 'ask')
  const change = <T>(ctx: CallContext, work: (ctx: CallContext) => Promise<T>): Promise<T> =>
    how.call(ctx, work, 'change')
  const reading = <T>(
    what: CallClass,
    ctx: CallContext,
    source: Source,
    work: (ctx: CallContext, source: Source) => Promise<T>,
  ): Promise<T> => how.reading?.(ctx, source, work) ?? how.call(ctx, (c) => work(c, source), what)
  const items = <T>(ctx: CallContext, open: (ctx: CallContext) => AsyncIterable<T>): AsyncIterable<T> =>
    how.items?.(ctx, open) ?? oneByOne(open(ctx), (next) => ask(ctx, next))

  const get = inner.get?.bind(inner)
  const move = inner.move?.bind(inner)
  const list = inner.list?.bind(inner)
  const remove = inner.remove?.bind(inner)
  const freeBytes = inner.freeBytes?.bind(inner)
  const { resumable } = inner
  return {
    ...inner,
    stat: (key, ctx) => ask(ctx, (c) => inner.stat(key, c)),
    put: (key, source, ctx) => reading('change', ctx, source, (c, s) => inner.put(key, s, c)),
    ...(get && { get: (key, from, ctx) => items(ctx, (c) => get(key, from, c)) }),
    ...(move && { move: (from, to, ctx) => change(ctx, (c) => move(from, to, c)) }),
    ...(list && { list: (prefix, ctx) => items(ctx, (c) => list(prefix, c)) }),
    ...(remove && { remove: (key, ctx) => change(ctx, (c) => remove(key, c)) }),
    ...(freeBytes && { freeBytes: (ctx) => ask(ctx, freeBytes) }),
    ...(resumable && {
      resumable: {
        ...resumable,
        begin: (key, source, ctx) => reading('change', ctx, source, (c, s) => resumable.begin(key, s, c)),
        offset: (token, source, ctx) => reading('ask', ctx, source, (c, s) => resumable.offset(token, s, c)),
        append: (token, source, offset, ctx) =>
          reading('change', ctx, source, (c, s) => resumable.append(token, s, offset, c)),
        finish: (token, key, source, ctx) =>
          reading('change', ctx, source, (c, s) => resumable.finish(token, key, s, c)),
        abort: (token, ctx) => change(ctx, (c) => resumable.abort(token, c)),
      },
    }),
  }
}

/** `items`, each asked for through `ask`: a layer holds nothing while the consumer works on the last one. */
export async function* oneByOne<T>(
  items: AsyncIterable<T>,
  ask: (next: () => Promise<IteratorResult<T>>) => Promise<IteratorResult<T>>,
): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]()
  let asking = false
  try {
    for (;;) {
      asking = true
      const next = await ask(() => iterator.next())
      asking = false
      if (next.done) return
      yield next.value
    }
  } finally {
    // where asking failed, the iterator has ended by itself, or hangs and would hang here too
    if (!asking) await iterator.return?.()
  }
}

/** `source` as it is, read through `read`. Its fields stay live: a digest may become known while it is read. */
export function withRead(source: Source, read: Source['read']): Source {
  const wrapped: Source = { bytes: source.bytes, kind: source.kind, read }
  return Object.defineProperties(wrapped, {
    digest: { get: () => source.digest, enumerable: true },
    modifiedMs: { get: () => source.modifiedMs, enumerable: true },
    name: { get: () => source.name, enumerable: true },
    takenAt: { get: () => source.takenAt, enumerable: true },
  })
}

/** `ctx` with some of it replaced; it may be an instance of a class, which a spread would strip of its methods. */
export function withContext(
  ctx: CallContext,
  own: { signal?: AbortSignal; onProgress?: (sentBytes: number) => void },
): CallContext {
  return {
    signal: own.signal ?? ctx.signal,
    checkpoint: () => ctx.checkpoint(),
    progress: (sentBytes) => {
      own.onProgress?.(sentBytes)
      ctx.progress?.(sentBytes)
    },
    retrying: (attempt, delayMs, error) => ctx.retrying?.(attempt, delayMs, error),
  }
}
