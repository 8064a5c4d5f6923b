import { finished } from 'node:stream/promises'

import type { Answer, Call } from './call.ts'
import { refusals, type StorageError } from './errors.ts'
import { holdAnswer, swallowAnswer } from './wire.ts'

export interface Matcher {
  method?: string
  /** Of the path without the query, as it was sent: `/storage/v1/object/photos/a.jpg`. */
  path?: string | RegExp
  when?(call: Call): boolean
  /** The nth request that matches is the first to be struck; the first, by default. */
  nth?: number
  /** How many are struck from there on; one, by default. */
  times?: number
}

export type Action =
  /** Answers by itself. `after-body` takes the body in before it does, and keeps nothing of it. */
  | {
      do: 'answer'
      status: number
      body?: unknown
      headers?: Record<string, string>
      when?: 'before-body' | 'after-body'
    }
  /** Resets the connection. `after-stored`: all is done, and only the answer is lost. */
  | { do: 'reset'; when: 'before-body' | 'after-body' | 'after-stored' }
  /** Resets it once so many bytes of the body have come. */
  | { do: 'cut'; afterBytes: number }
  /** Takes so many bytes of the body, and then neither reads nor answers. */
  | { do: 'stall'; afterBytes: number }
  /** Does all, and does not answer. */
  | { do: 'stall-answer' }
  /** Waits, and goes on as if nothing had been. */
  | { do: 'hold'; until: Promise<unknown> }
  /** Does all, and answers only then. */
  | { do: 'hold-answer'; until: Promise<unknown> }

const refusal = (error: StorageError): Action => ({ do: 'answer', status: error.httpStatus, body: error })

/** What a service under load says. */
export const underLoad = {
  slowDown: refusal(refusals.slowDown()),
  lockTimeout: refusal(refusals.lockTimeout()),
  databaseTimeout: refusal(refusals.databaseTimeout()),
  internalError: refusal(refusals.internalError()),
} satisfies Record<string, Action>

export interface Fault {
  /** How many requests it has struck. */
  readonly hits: number
  remove(): void
}

interface Scripted extends Fault {
  hits: number
  seen: number
  readonly matcher: Matcher
  readonly action: Action
}

/** Faults in the order they were set: the first that matches strikes. */
export class Script {
  readonly #faults = new Set<Scripted>()

  add(matcher: Matcher, action: Action): Fault {
    const fault: Scripted = { matcher, action, hits: 0, seen: 0, remove: () => this.#faults.delete(fault) }
    this.#faults.add(fault)
    return fault
  }

  clear(): void {
    this.#faults.clear()
  }

  strike(call: Call): Action | undefined {
    for (const fault of this.#faults) {
      const { nth = 1, times = 1 } = fault.matcher
      if (!matches(fault.matcher, call)) continue
      fault.seen++
      if (fault.seen < nth || fault.seen >= nth + times) continue
      fault.hits++
      return fault.action
    }
    return undefined
  }
}

function matches({ method, path, when }: Matcher, call: Call): boolean {
  if (method !== undefined && method !== call.method) return false
  if (typeof path === 'string' && path !== call.path) return false
  if (path instanceof RegExp && !path.test(call.path)) return false
  return when?.(call) ?? true
}

/** Does what `action` says before the request is handled; returns the answer, or 'lost' when there is to be none. */
export async function before(action: Action, call: Call): Promise<Answer | 'lost' | undefined> {
  switch (action.do) {
    case 'answer':
      if (action.when === 'after-body') await drain(call)
      return { status: action.status, body: action.body, ...(action.headers && { headers: action.headers }) }
    case 'reset':
      if (action.when === 'after-stored') swallowAnswer(call.res, () => call.req.socket.resetAndDestroy())
      else {
        if (action.when === 'after-body') await drain(call)
        call.req.socket.resetAndDestroy()
        return 'lost'
      }
      return undefined
    case 'stall-answer':
      swallowAnswer(call.res, () => {})
      return undefined
    case 'hold':
      await action.until
      return undefined
    case 'hold-answer':
      holdAnswer(call.res, action.until)
      return undefined
    case 'cut':
    case 'stall':
      return undefined
  }
}

/** What stands in the way of the body's bytes: returns whether those that came now, up to `bytes` in all, or their end, are not to be heard. */
export function deaf(action: Action | undefined, call: Call, bytes: number, ended: boolean): boolean {
  if (action?.do === 'stall') return ended || bytes > action.afterBytes
  if (action?.do !== 'cut' || bytes < action.afterBytes) return false
  call.req.socket.resetAndDestroy()
  return true
}

async function drain(call: Call): Promise<void> {
  await finished(call.req.resume())
}
