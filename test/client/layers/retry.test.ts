import { describe, expect, it } from 'vitest'
import type { Destination } from '../../../src/client/destination.ts'
import { memoryDestination } from '../../../src/client/drivers/memory.ts'
import { budgetSpent, retryBudget, retryLayer, type RetryOptions } from '../../../src/client/layers/retry.ts'
import { type ErrorCode, LuminaError } from '../../../src/errors.ts'
import { call, codeOf, failureOf, settled } from '../../contract/calls.ts'
import { failing, type CallName, forgetful, hooked, lyingOffsets, tearing, unreachable } from '../../contract/faults.ts'
import { fakeTime } from '../../contract/fake-time.ts'
import { collect, content, sourceOf } from '../../contract/sources.ts'
import { testLayer } from './layered.ts'

testLayer('retry', () => retryLayer({ retries: 3, time: fakeTime() }))

const setUp = (options: Partial<RetryOptions> = {}, time = fakeTime()) => {
  const budget = retryBudget()
  const layer = retryLayer({ retries: 3, time, budget, random: () => 0.5, ...options })
  return { time, budget, layer }
}

/** `inner`, and how often each of its calls was made. */
const counted = (inner: Destination): { destination: Destination; made: Map<CallName, number> } => {
  const made = new Map<CallName, number>()
  const before = (name: CallName): void => {
    made.set(name, (made.get(name) ?? 0) + 1)
  }
  return { destination: hooked(inner, { before }), made }
}

const bytes = content(300_000)
const source = sourceOf(bytes)

describe('retry', () => {
  const calls: [CallName, (destination: Destination) => Promise<unknown>][] = [
    ['stat', (destination) => destination.stat('there', call())],
    ['put', (destination) => destination.put('a', source, call())],
    ['get', (destination) => collect(destination.get?.('there', 0, call()))],
    [
      'list',
      async (destination) => {
        const keys: string[] = []
        for await (const { key } of destination.list?.('', call()) ?? []) keys.push(key)
        return keys
      },
    ],
    ['move', async (destination) => destination.move?.('there', 'a', call())],
    ['remove', async (destination) => destination.remove?.('there', call())],
    ['freeBytes', async (destination) => destination.freeBytes?.(call())],
    ['begin', async (destination) => destination.resumable?.begin('a', source, call())],
    ['offset', async (destination) => destination.resumable?.offset({ id: 'x' }, source, call())],
    ['abort', async (destination) => destination.resumable?.abort({ id: 'x' }, call())],
  ]
  const filled = async (): Promise<Destination> => {
    const memory = memoryDestination()
    await memory.put('there', sourceOf(content(10)), call())
    return { ...memory, freeBytes: async () => 7 }
  }

  it.each(calls)('%s that fails for a moment is asked again', async (name, ask) => {
    const { layer } = setUp()
    const expected = await ask(await filled())
    const answer = await ask(layer(failing(await filled(), name, 3)))
    if (name === 'begin') expect(answer).toBeDefined()
    else expect(answer).toEqual(expected)
  })

  it.each(calls)('%s that keeps failing is given up, with its cause', async (name, ask) => {
    const { layer } = setUp()
    const { destination, made } = counted(failing(await filled(), name, Number.POSITIVE_INFINITY))
    const error = await failureOf(ask(layer(destination)))
    expect(error).toMatchObject({ code: 'destination-unreachable', retry: 'exhausted' })
    expect(error.cause).toMatchObject({ code: 'destination-unreachable', retry: 'transient' })
    expect(made.get(name)).toBe(4)
  })

  it.each([
    new LuminaError('destination-refused', 'No.'),
    new LuminaError('destination-busy', 'Somebody gave up already.', { retry: 'exhausted' }),
    new LuminaError('key-taken', 'Taken.'),
    new TypeError('A bug.'),
    // only opening the file anew helps, which the pipeline does
    new LuminaError('changed-while-reading', 'Changed.', { retry: 'transient' }),
  ])('passes on at once what asking again cannot help: $message', async (error) => {
    const { layer, time } = setUp()
    const { destination, made } = counted(failing(memoryDestination(), 'put', 1, () => error))
    await expect(layer(destination).put('a', source, call())).rejects.toBe(error)
    expect(made.get('put')).toBe(1)
    expect(time.slept).toEqual([])
  })

  it('waits twice as long each time, up to 30 s, with full jitter, and tells before it waits', async () => {
    const told = async (random: () => number): Promise<number[]> => {
      // patience enough to see the cap
      const { layer, budget } = setUp({ retries: 11, random })
      const ctx = call()
      const inner = failing(memoryDestination(), 'put', 11)
      await layer(hooked(inner, { before: () => void budget.fill(0) })).put('a', source, ctx)
      expect(ctx.retries.map(({ attempt }) => attempt)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
      expect(ctx.retries[0]?.error).toMatchObject({ code: 'destination-unreachable' })
      return ctx.retries.map(({ delayMs }) => delayMs)
    }
    const longest = [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]
    expect(await told(() => 1)).toEqual(longest)
    expect(await told(() => 0.5)).toEqual(longest.map((delayMs) => delayMs / 2))
    expect(await told(() => 0)).toEqual(longest.map(() => 0))
  })

  it('never asks sooner than it was asked to wait', async () => {
    const { layer, time } = setUp({ random: () => 0.25 })
    const ctx = call()
    const busy = (): LuminaError =>
      new LuminaError('destination-busy', 'Slow down.', { retry: 'transient', retryAfterMs: 12_000 })
    await layer(failing(memoryDestination(), 'put', 1, busy)).put('a', source, ctx)
    expect(ctx.retries.map(({ delayMs }) => delayMs)).toEqual([12_025])
    expect(time.slept.reduce((sum, ms) => sum + ms, 0)).toBeCloseTo(12_025)
  })

  it('leaves it to the next run when it is asked to wait for very long', async () => {
    const { layer, time } = setUp()
    const busy = (): LuminaError =>
      new LuminaError('destination-busy', 'Tomorrow.', { retry: 'transient', retryAfterMs: 3_600_000 })
    const error = await failureOf(layer(failing(memoryDestination(), 'put', 1, busy)).put('a', source, call()))
    expect(error).toMatchObject({ code: 'destination-busy', retry: 'exhausted', retryAfterMs: 3_600_000 })
    expect(time.slept).toEqual([])
  })

  it.each([0, 1, 2])('tries again %i times and no more', async (retries) => {
    const { layer } = setUp({ retries })
    expect(await codeOf(layer(failing(memoryDestination(), 'put', retries + 1)).put('a', source, call()))).toBe(
      'destination-unreachable',
    )
    await layer(failing(memoryDestination(), 'put', retries)).put('a', source, call())
  })

  it('ends its wait as soon as the run is aborted', async () => {
    const ctx = call()
    const time = fakeTime()
    const abortedAfterMs: number[] = []
    const { layer } = setUp({
      random: () => 1,
      time: {
        ...time,
        async sleep(delayMs, signal) {
          ctx.abort()
          abortedAfterMs.push(time.nowMs())
          await time.sleep(delayMs, signal)
        },
      },
    })
    const { destination, made } = counted(failing(memoryDestination(), 'put', 1))
    expect(await codeOf(layer(destination).put('a', source, ctx))).toBe('interrupted')
    expect(made.get('put')).toBe(1)
    expect(abortedAfterMs).toHaveLength(1)
  })

  it('notices within a moment that a run was told to stop which goes on with what is on the wire', async () => {
    const time = fakeTime()
    const { layer } = setUp({ time })
    let stopped = false
    const ctx = {
      ...call(),
      checkpoint() {
        if (stopped) throw new LuminaError('interrupted', 'Ctrl-C.')
      },
      retrying() {
        stopped = true
      },
    }
    const busy = (): LuminaError =>
      new LuminaError('destination-busy', 'Wait.', { retry: 'transient', retryAfterMs: 60_000 })
    expect(await codeOf(layer(failing(memoryDestination(), 'put', 1, busy)).put('a', source, ctx))).toBe('interrupted')
    expect(time.slept.reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(200)
  })

  it('does not start a wait in a run that was told to stop', async () => {
    const { layer, time } = setUp()
    const ctx = call()
    ctx.abort()
    expect(await codeOf(layer(failing(memoryDestination(), 'stat', 1)).stat('a', ctx))).toBe('interrupted')
    expect(time.slept).toEqual([])
    expect(ctx.retries).toEqual([])
  })

  it('a put whose answer was lost is key-taken: the pipeline compares contents', async () => {
    const { layer } = setUp()
    const memory = memoryDestination()
    expect(await codeOf(layer(forgetful(memory, 'put', 1)).put('a', source, call()))).toBe('key-taken')
    expect(memory.objects.get('a')).toEqual(bytes)
  })

  describe('append', () => {
    const begun = async (destination: Destination) => {
      const token = await destination.resumable?.begin('a', source, call())
      if (!token) throw new Error('resumable')
      return token
    }

    it('goes on from where the destination says it stopped', async () => {
      const { layer } = setUp()
      const memory = memoryDestination()
      const tears: (number | undefined)[] = [70_000, 0, 100_000, undefined]
      const { destination, made } = counted(tearing(memory, () => tears.shift()))
      const layered = layer(destination)
      const token = await begun(layered)
      const ctx = call()
      expect(await layered.resumable?.append(token, source, 0, ctx)).toBe(bytes.length)
      await layered.resumable?.finish(token, 'a', source, call())
      expect(memory.objects.get('a')).toEqual(Buffer.from(bytes))
      expect(made.get('offset')).toBe(3)
      expect(ctx.sent).toEqual(ctx.sent.toSorted((a, b) => a - b))
    })

    it('counts its tries anew whenever bytes got through', async () => {
      const { layer } = setUp({ retries: 1 })
      const tears = [65_536, 65_536, 65_536, 65_536, undefined]
      const layered = layer(tearing(memoryDestination(), () => tears.shift()))
      const token = await begun(layered)
      expect(await layered.resumable?.append(token, source, 0, call())).toBe(bytes.length)
    })

    it('gives up when none do', async () => {
      const { layer } = setUp({ retries: 2 })
      const { destination, made } = counted(tearing(memoryDestination(), () => 0))
      const layered = layer(destination)
      const token = await begun(layered)
      const error = await failureOf(layered.resumable?.append(token, source, 0, call()))
      expect(error).toMatchObject({ code: 'destination-unreachable', retry: 'exhausted' })
      expect(made.get('append')).toBe(3)
    })

    it('counts a failing offset as a try', async () => {
      const { layer } = setUp({ retries: 2 })
      const inner = failing(failing(memoryDestination(), 'append', 1), 'offset', Number.POSITIVE_INFINITY)
      const { destination, made } = counted(inner)
      const layered = layer(destination)
      const token = await begun(layered)
      await failureOf(layered.resumable?.append(token, source, 0, call()))
      expect(made.get('offset')).toBe(2)
    })

    it('says so when the destination has forgotten the transfer', async () => {
      const { layer } = setUp()
      const memory = memoryDestination()
      const layered = layer({
        ...failing(memory, 'append', 1),
      })
      const token = await begun(layered)
      const { resumable } = layered
      const forgets = hooked(memory, {})
      await forgets.resumable?.abort(token, call())
      expect(await codeOf(resumable?.append(token, source, 0, call()))).toBe('not-found')
    })

    it('sends nothing more when all had arrived and only the answer was lost', async () => {
      const { layer } = setUp()
      const { destination, made } = counted(forgetful(memoryDestination(), 'append', 1))
      const layered = layer(destination)
      const token = await begun(layered)
      expect(await layered.resumable?.append(token, source, 0, call())).toBe(bytes.length)
      expect(made.get('append')).toBe(1)
    })

    it.each([-50_000, 50_000])('makes nothing of an offset that lies by %i bytes', async (byBytes) => {
      const { layer } = setUp()
      const memory = memoryDestination()
      const tears: (number | undefined)[] = [131_072, undefined, undefined, undefined, undefined]
      const layered = layer(
        lyingOffsets(
          tearing(memory, () => tears.shift()),
          byBytes,
        ),
      )
      const token = await begun(layered)
      // fewer: some are sent twice; more: what would be a hole is refused, and nothing of it is ever visible
      const expected = byBytes < 0 ? 'fulfilled' : 'rejected'
      expect(await settled(layered.resumable?.append(token, source, 0, call()))).toBe(expected)
      expect(await settled(layered.resumable?.finish(token, 'a', source, call()))).toBe(expected)
      expect([...memory.objects.values()]).toEqual(byBytes < 0 ? [Buffer.from(bytes)] : [])
    })
  })

  it('get goes on after the bytes that it has given', async () => {
    const { layer } = setUp({ retries: 1 })
    const all = content(1000)
    const froms: number[] = []
    const destination: Destination = {
      ...memoryDestination(),
      async *get(_, from) {
        froms.push(from)
        yield all.subarray(from, from + 300)
        if (from + 300 < all.length) throw unreachable()
      },
    }
    expect(await collect(layer(destination).get?.('a', 50, call()))).toEqual(Buffer.from(all.subarray(50)))
    expect(froms).toEqual([50, 350, 650, 950])
  })

  describe('list', () => {
    const listing = (rounds: (string | undefined)[][]): Destination => {
      let round = 0
      return {
        ...memoryDestination(),
        async *list() {
          for (const key of rounds[round++] ?? []) {
            if (key === undefined) throw unreachable()
            yield { key, bytes: 1 }
          }
        },
      }
    }
    const keysOf = async (destination: Destination): Promise<string[]> => {
      const keys: string[] = []
      for await (const { key } of destination.list?.('', call()) ?? []) keys.push(key)
      return keys
    }

    it('goes on after the last item that it has given', async () => {
      const { layer } = setUp()
      const broken = listing([
        ['b', 'a', undefined],
        ['b', undefined],
        ['b', 'a', 'c', undefined],
        ['b', 'a', 'c', 'd'],
      ])
      expect(await keysOf(layer(broken))).toEqual(['b', 'a', 'c', 'd'])
    })

    it('fails rather than leave out what it cannot find its place in any more', async () => {
      const { layer } = setUp()
      expect(
        await codeOf(
          keysOf(
            layer(
              listing([
                ['a', 'b', undefined],
                ['a', 'c'],
              ]),
            ),
          ),
        ),
      ).toBe('destination-busy')
    })
  })

  describe('the budget of the run', () => {
    const dead = (code: ErrorCode = 'destination-busy'): Destination => {
      const error = (): LuminaError => new LuminaError(code, 'Out of order.', { retry: 'transient' })
      return failing(memoryDestination(), 'put', Number.POSITIVE_INFINITY, error)
    }
    const putAll = async (destination: Destination, files: number): Promise<LuminaError[]> => {
      const errors: LuminaError[] = []
      for (let file = 0; file < files; file++) errors.push(await failureOf(destination.put(`${file}`, source, call())))
      return errors
    }

    it('ends the waiting for a dead service after about a minute, however many files there are', async () => {
      const { layer, time, budget } = setUp({ random: () => 1, retries: 8 })
      const begunMs = time.nowMs()
      const { destination, made } = counted(dead())
      const errors = await putAll(layer(destination), 1000)
      const waitedMs = time.nowMs() - begunMs
      expect(waitedMs).toBeGreaterThanOrEqual(60_000)
      expect(waitedMs).toBeLessThanOrEqual(90_000)
      expect(budgetSpent(budget, time.nowMs())).toBe(true)
      expect(made.get('put')).toBeLessThan(1050)
      expect(new Set(errors.map(({ code, retry }) => `${code} ${retry}`))).toEqual(
        new Set(['destination-busy exhausted']),
      )
    })

    it('is shared by all lanes', async () => {
      const { layer, time, budget } = setUp({ random: () => 1, retries: 8 })
      await putAll(layer(dead()), 20)
      const begunMs = time.nowMs()
      const other = retryLayer({ retries: 8, budget, time })
      await putAll(other(dead()), 10)
      expect(time.nowMs()).toBe(begunMs)
    })

    it('is whole again as soon as something gets through', async () => {
      const { layer, time, budget } = setUp({ random: () => 1, retries: 8 })
      await putAll(layer(dead()), 20)
      await layer(memoryDestination()).put('a', source, call())
      expect(budgetSpent(budget, time.nowMs())).toBe(false)
      const ctx = call()
      await layer(failing(memoryDestination(), 'put', 3)).put('a', source, ctx)
      expect(ctx.retries).toHaveLength(3)
    })

    it('is not made whole by a service that answers, but takes nothing', async () => {
      const { layer, time, budget } = setUp({ random: () => 1, retries: 8 })
      const destination = layer(dead())
      for (let file = 0; file < 20; file++) {
        await destination.stat('a', call())
        await destination.resumable?.begin('a', source, call())
        await codeOf(destination.put('a', source, call()))
      }
      expect(budgetSpent(budget, time.nowMs())).toBe(true)
    })

    it('is made whole by bytes that get through before a transfer is over', async () => {
      const { layer, time, budget } = setUp({ random: () => 1, retries: 8 })
      await putAll(layer(dead()), 20)
      const layered = layer(
        tearing(
          memoryDestination(),
          () => 200_000,
          () => new LuminaError('unreadable', 'Pulled.'),
        ),
      )
      const token = (await layered.resumable?.begin('a', source, call())) ?? {}
      await codeOf(layered.resumable?.append(token, source, 0, call()))
      expect(budgetSpent(budget, time.nowMs())).toBe(false)
    })

    it('does not mind one asset that keeps failing by itself', async () => {
      const { layer, time, budget } = setUp({ random: () => 1, retries: 8 })
      await putAll(layer(dead('checksum-mismatch')), 50)
      expect(budgetSpent(budget, time.nowMs())).toBe(false)
    })

    it.each([2 ** 31 - 30_000, 2 ** 31 + 5000, 2 ** 32 - 30_000])(
      'outlives the overflow of its 32 bits, at %i',
      async (startMs) => {
        const { layer, time, budget } = setUp({ random: () => 1, retries: 8 }, fakeTime(startMs))
        const ctx = call()
        await codeOf(layer(dead()).put('a', source, ctx))
        expect(ctx.retries).toHaveLength(8)
        expect(budgetSpent(budget, time.nowMs())).toBe(false)
        await putAll(layer(dead()), 20)
        expect(time.nowMs() - startMs).toBeLessThanOrEqual(90_000)
        expect(budgetSpent(budget, time.nowMs())).toBe(true)
      },
    )
  })
})
