import { styleText } from 'node:util'

import type { Io, Output } from './io.ts'

type Format = Parameters<typeof styleText>[0]

/** Colours `text` where colours are wanted, and returns it as it is elsewhere. */
export type Style = (format: Format, text: string) => string

/**
 * FORCE_COLOR (but 0 or false) colours everything, NO_COLOR nothing, else terminals are coloured: https://force-color.org,
 * https://no-color.org.
 */
export function styleFor(io: Pick<Io, 'env'>, stream: Output): Style {
  return isColoured(io.env, stream)
    ? (format, text) => styleText(format, text, { validateStream: false })
    : (_, text) => text
}

function isColoured(env: NodeJS.ProcessEnv, stream: Output): boolean {
  const forced = env['FORCE_COLOR']
  if (forced !== undefined) return forced !== '0' && forced !== 'false'
  if (env['NO_COLOR']) return false
  return stream.isTTY === true && env['TERM'] !== 'dumb'
}
