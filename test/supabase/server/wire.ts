import type { IncomingMessage, ServerResponse } from 'node:http'

import { add } from './counters.ts'

interface Heard {
  bytes: number
  readonly listeners: ((bytes: number) => void)[]
}

const heard = new WeakMap<IncomingMessage, Heard>()

/** Sees every chunk of the body as the parser gives it, before anybody reads it; once `deaf` says so, nothing arrives any more. */
export function listen(req: IncomingMessage, deaf: (bytes: number, ended: boolean) => boolean): void {
  const state: Heard = { bytes: 0, listeners: [] }
  heard.set(req, state)
  const push = req.push.bind(req)
  req.push = (chunk: Buffer | null, encoding?: BufferEncoding): boolean => {
    if (chunk !== null) {
      state.bytes += chunk.length
      for (const listener of state.listeners) listener(chunk.length)
    }
    return deaf(state.bytes, chunk === null) ? false : push(chunk, encoding)
  }
}

/** Counts the body of `req` under `name`, with what has come already. */
export function tally(req: IncomingMessage, counts: Map<string, number>, name: string): void {
  const state = heard.get(req)
  if (!state) return
  add(counts, name, state.bytes)
  state.listeners.push((bytes) => add(counts, name, bytes))
}

/** From now on nothing is answered: where an answer would end, `then` is called. */
export function swallowAnswer(res: ServerResponse, then: () => void): void {
  const end = (...args: unknown[]): ServerResponse => {
    then()
    const done = args.at(-1)
    if (typeof done === 'function') (done as () => void)()
    return res
  }
  const silent = { writeHead: () => res, flushHeaders: () => {}, write: () => true, end }
  Object.assign(res, silent)
}

/** The end of the answer waits for `until`. */
export function holdAnswer(res: ServerResponse, until: Promise<unknown>): void {
  const end = res.end.bind(res) as (...args: unknown[]) => ServerResponse
  const later = (...args: unknown[]): ServerResponse => {
    void until.then(() => end(...args))
    return res
  }
  Object.assign(res, { end: later })
}
