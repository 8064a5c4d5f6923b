import { clearScreenDown, cursorTo, moveCursor } from 'node:readline'

import type { MultiBar } from 'cli-progress'

import type { ProgressEvent } from '../events.ts'
import { barLine } from './bar-line.ts'
import type { Output } from './io.ts'
import { createPacer, type Pace } from './pace.ts'
import type { Screen } from './screen.ts'
import { shortenEnd, widthOf } from './width.ts'

/** A run that is over sooner needs no bar, and loads none. */
const patienceSeconds = 0.5

/**
 * The live line of a terminal. Neither the cursor nor line wrapping is ever switched off: a second Ctrl-C or a kill -9 could not switch
 * them on again.
 */
export function createBar(stream: Output): Screen {
  const pacer = createPacer()
  let latest: { event: ProgressEvent; pace: Pace } | undefined
  let bar: MultiBar | undefined
  let state: 'waiting' | 'loading' | 'shown' | 'ended' = 'waiting'
  let drawnColumns = 0

  const draw = (): string => {
    if (latest === undefined) return ''
    // One column stays free: some terminals wrap as soon as the last one is taken.
    const columns = (stream.columns || 80) - 1
    const line = shortenEnd(barLine(latest.event, latest.pace, columns), columns)
    drawnColumns = widthOf(line)
    return line
  }

  const show = async (): Promise<void> => {
    state = 'loading'
    const { default: progress } = await import('cli-progress')
    if (state !== 'loading') return
    state = 'shown'
    const options = {
      stream,
      format: draw,
      fps: 10,
      hideCursor: false,
      linewrap: true,
      gracefulExit: false,
      clearOnComplete: true,
      forceRedraw: true,
    }
    bar = new progress.MultiBar(options)
    bar.create(1, 0)
    stream.on('resize', redraw)
  }

  /** A line drawn for a wider terminal has been wrapped by the narrower one: all of its rows go. */
  const redraw = (): void => {
    const rows = Math.max(1, Math.ceil(drawnColumns / (stream.columns || 80)))
    moveCursor(stream, 0, 1 - rows)
    cursorTo(stream, 0)
    clearScreenDown(stream)
    bar?.update()
  }

  return {
    line(text) {
      if (bar === undefined) stream.write(`${text}\n`)
      else bar.log(`${text}\n`)
    },
    progress(event) {
      latest = { event, pace: pacer(event) }
      if (state === 'waiting' && event.seconds >= patienceSeconds) void show()
    },
    end() {
      state = 'ended'
      stream.off('resize', redraw)
      // `stop` alone would drop the lines that wait for the next redraw.
      bar?.update()
      bar?.stop()
      bar = undefined
    },
  }
}
