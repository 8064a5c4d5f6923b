import { PassThrough, Writable } from 'node:stream'

import type { Io, Output } from '../../src/report/io.ts'

/** A stream that keeps what it is told, and may pose as a terminal. */
export class FakeOutput extends Writable {
  text = ''
  readonly isTTY: boolean
  columns: number

  constructor({ isTTY = false, columns = 80 } = {}) {
    super({ decodeStrings: false })
    this.isTTY = isTTY
    this.columns = columns
  }

  override _write(chunk: string | Buffer, _: BufferEncoding, done: () => void): void {
    this.text += chunk.toString()
    done()
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1)
  }
}

export interface FakeIo extends Io {
  readonly stdin: PassThrough & { isTTY?: boolean }
  readonly stdout: FakeOutput
  readonly stderr: FakeOutput
  readonly hang: AbortController
}

export function fakeIo({
  env = {},
  cwd = process.cwd(),
  nowMs = Date.UTC(2026, 10, 20, 12),
  stdoutTty = false,
  stderrTty = false,
  stdinTty = false,
}: {
  env?: NodeJS.ProcessEnv
  cwd?: string
  nowMs?: number
  stdoutTty?: boolean
  stderrTty?: boolean
  stdinTty?: boolean
} = {}): FakeIo {
  const hang = new AbortController()
  return {
    stdin: Object.assign(new PassThrough(), { isTTY: stdinTty }),
    stdout: new FakeOutput({ isTTY: stdoutTty }),
    stderr: new FakeOutput({ isTTY: stderrTty }),
    env,
    cwd,
    now: () => nowMs,
    hangup: hang.signal,
    hang,
  }
}

/** What a terminal of this width shows after `text`: enough of one for a bar that draws on one line. */
export function screenOf(text: string): string[] {
  const rows: string[] = ['']
  let row = 0
  let column = 0
  // oxlint-disable-next-line no-control-regex
  for (const [token] of text.matchAll(/\u001b\[(\d*)([A-Za-z])|[\s\S]/gu)) {
    const [, count, command] = /^\u001b\[(\d*)([A-Za-z])$/.exec(token) ?? []
    if (token === '\n') [row, column] = [row + 1, 0]
    else if (command === 'G') column = Number(count || 1) - 1
    else if (command === 'A') row = Math.max(0, row - Number(count || 1))
    else if (command === 'K') rows[row] = count === '2' ? '' : (rows[row] ?? '').slice(0, column)
    else if (command === 'J') rows.splice(row, rows.length, (rows[row] ?? '').slice(0, column))
    else if (command === undefined) {
      const line = (rows[row] ?? '').padEnd(column)
      rows[row] = line.slice(0, column) + token + line.slice(column + token.length)
      column += token.length
    }
    rows[row] ??= ''
  }
  return rows
}

export type { Output }
