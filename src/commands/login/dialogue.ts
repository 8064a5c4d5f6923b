import { StringDecoder } from 'node:string_decoder'

import { LuminaError } from '../../errors.ts'
import type { Input, Io } from '../../report/io.ts'

/** A terminal hands over each key by itself in raw mode, and shows none. */
type Terminal = Input & { setRawMode?(raw: boolean): unknown }

/** Questions to the person at the terminal, on stderr. */
export interface Dialogue {
  /** @throws `usage` when the input ends, `interrupted` */
  ask(question: string): Promise<string>
  /** Nothing of the answer is shown. */
  askHidden(question: string): Promise<string>
  close(): void
}

/** Whether somebody is there to be asked. */
export function isTerminal({ stdin, stderr }: Io): boolean {
  return Boolean(stdin.isTTY && stderr.isTTY)
}

export function dialogue({ stdin, stderr, hangup }: Io): Dialogue {
  const terminal: Terminal = stdin
  const decoder = new StringDecoder('utf8')
  let typed = ''
  let hasEnded = false
  let wake = (): void => {}
  const onData = (chunk: Buffer | string): void => {
    typed += typeof chunk === 'string' ? chunk : decoder.write(chunk)
    wake()
  }
  const onEnd = (): void => {
    hasEnded = true
    wake()
  }
  stdin.on('data', onData).on('end', onEnd).on('error', onEnd)
  hangup.addEventListener('abort', onEnd)

  /** Waits until `typed` holds an answer; takes it out. */
  async function answer(isRaw: boolean): Promise<string> {
    for (;;) {
      const line = isRaw ? rawLine(typed) : cookedLine(typed)
      if (line) {
        typed = typed.slice(line.taken)
        return line.text.trim()
      }
      if (hasEnded) throw new LuminaError('usage', 'The input ended before everything was answered.')
      await new Promise<void>((resolve) => (wake = resolve))
    }
  }
  return {
    ask(question) {
      stderr.write(`${question}: `)
      return answer(false)
    },
    async askHidden(question) {
      stderr.write(`${question}: `)
      terminal.setRawMode?.(true)
      try {
        return await answer(true)
      } finally {
        terminal.setRawMode?.(false)
        stderr.write('\n')
      }
    },
    close() {
      stdin.off('data', onData).off('end', onEnd).off('error', onEnd)
      hangup.removeEventListener('abort', onEnd)
      // a stream that flows keeps the process alive
      stdin.pause()
    },
  }
}

interface Line {
  text: string
  /** How many characters of the input it took, its end among them. */
  taken: number
}

function cookedLine(typed: string): Line | undefined {
  const end = /\r\n|\r|\n/.exec(typed)
  return end ? { text: typed.slice(0, end.index), taken: end.index + end[0].length } : undefined
}

const keys = { interrupt: '\u0003', end: '\u0004', erase: ['\b', '\u007f'], eraseAll: '\u0015' } as const
/** Arrow keys, and what a terminal puts around a paste. */
// oxlint-disable-next-line no-control-regex
const sequence = /^\u001b(?:\[[0-9;?]*[ -/]*[@-~]|O.|)/

/** What the keys make of a line, as a terminal would that does it by itself. */
function rawLine(typed: string): Line | undefined {
  let text: string[] = []
  for (let at = 0; at < typed.length;) {
    const character = String.fromCodePoint(typed.codePointAt(at) ?? 0)
    if (character === keys.interrupt) throw new LuminaError('interrupted', 'Stopped at a question.')
    if (character === keys.end) throw new LuminaError('usage', 'The input ended before everything was answered.')
    if (character === '\r' || character === '\n') {
      const isPair = character === '\r' && typed[at + 1] === '\n'
      return { text: text.join(''), taken: at + (isPair ? 2 : 1) }
    }
    const [skipped = ''] = sequence.exec(typed.slice(at)) ?? []
    if (skipped === '') {
      if (keys.erase.some((key) => key === character)) text.pop()
      else if (character === keys.eraseAll) text = []
      else text.push(character)
    }
    at += skipped.length || character.length
  }
  return undefined
}
