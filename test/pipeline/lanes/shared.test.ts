import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LuminaError } from '../../../src/errors.ts'
import { checkpoint, createShared, requestStop, spend } from '../../../src/pipeline/lanes/shared.ts'

function codeOf(act: () => void): string {
  try {
    act()
    return 'none'
  } catch (error) {
    return error instanceof LuminaError ? error.code : 'other'
  }
}

describe('checkpoint', () => {
  it('lets a run go on that nobody stopped', () => {
    expect(codeOf(() => checkpoint(createShared(1)))).toBe('none')
  })

  it.each(['interrupted', 'limit'] as const)('throws %s once the run was told so', (reason) => {
    const shared = createShared(1)
    requestStop(shared, reason)
    expect(codeOf(() => checkpoint(shared))).toBe(reason)
  })

  it('keeps the first reason', () => {
    const shared = createShared(1)
    requestStop(shared, 'limit')
    requestStop(shared, 'interrupted')
    expect(codeOf(() => checkpoint(shared))).toBe('limit')
  })
})

describe('spend', () => {
  it('has no end without a limit', () => {
    const shared = createShared(1)
    for (let at = 0; at < 3; at++) spend(shared, Number.MAX_SAFE_INTEGER)
    expect(shared.allowance[0]).toBe(-1n)
  })

  it('gives all of an allowance and no more, in whatever portions', () => {
    const portions = fc.array(fc.nat(1000), { maxLength: 50 })
    fc.assert(
      fc.property(fc.nat(5000), portions, (allowance, wanted) => {
        const shared = createShared(1, allowance)
        let given = 0
        for (const bytes of wanted) {
          const fits = given + bytes <= allowance
          expect(codeOf(() => spend(shared, bytes))).toBe(fits ? 'none' : 'limit')
          if (fits) given += bytes
        }
        expect(shared.allowance[0]).toBe(BigInt(allowance - given))
      }),
    )
  })

  it('never gives more than there is when many threads ask at once', async () => {
    const threads = 4
    const allowance = 1_000_003
    const shared = createShared(threads, allowance)
    const spent = await Promise.all(Array.from({ length: threads }, (_, seed) => spentBy(shared, seed)))
    const total = spent.reduce((sum, bytes) => sum + bytes, 0)
    expect(total).toBeLessThanOrEqual(allowance)
    expect(total).toBe(allowance - Number(shared.allowance[0]))
  })
})

function spentBy(shared: ReturnType<typeof createShared>, seed: number): Promise<number> {
  const worker = new Worker(new URL('./spender.ts', import.meta.url), { workerData: { shared, seed } })
  return new Promise((resolve, reject) => {
    worker.on('message', resolve)
    worker.on('error', reject)
  })
}
