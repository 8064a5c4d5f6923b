import { createInterface } from 'node:readline/promises'

import type { Config } from '../config.ts'
import { quote } from '../config/quote.ts'
import { suggest } from '../config/suggest.ts'
import { BadValue, isDestinationName, lastingDestination } from '../config/values.ts'
import { writeUserFile } from '../config/write.ts'
import { LuminaError } from '../errors.ts'
import type { Io } from '../report/io.ts'
import { printable } from '../report/printable.ts'

const example = 'for example: --to ./library'

/**
 * The destination as a URL or a path, with names resolved. When nothing says where to, a terminal is asked once and the answer kept for
 * this user.
 * @throws `no-destination` where nobody can be asked
 */
export async function destinationOf(config: Config, io: Io): Promise<string> {
  return resolveName(config.to ?? (await askOnce(config, io)), config.destinations)
}

function resolveName(to: string, destinations: Config['destinations']): string {
  if (!isDestinationName(to)) return to
  const place = Object.hasOwn(destinations, to) ? destinations[to] : undefined
  if (place !== undefined) return place
  const meant = suggest(to, Object.keys(destinations))
  throw new LuminaError('usage', `no destination is named ${quote(to)}`, {
    hint:
      meant === undefined
        ? `a folder is written ./${to}; a name is set by: lumina config set destinations.${to} <destination>`
        : `did you mean ${meant}? A folder is written ./${to}`,
  })
}

async function askOnce(config: Config, io: Io): Promise<string> {
  if (!io.stdin.isTTY || !io.stderr.isTTY || config.filesFrom === '-') {
    throw new LuminaError('no-destination', 'nothing says where to upload to', {
      hint: `${example}, or once for all: lumina config set to <destination>`,
    })
  }
  const answer = await question(io, 'Which destination? A folder, for example ~/library: ')
  const to = checked(answer, io.cwd)
  if (!config.dryRun) {
    await writeUserFile(config.userFile, { set: 'to', value: to })
    io.stderr.write(`Kept in ${printable(config.userFile)}; \`lumina config set to <destination>\` changes it.\n`)
  }
  return to
}

function checked(answer: string, cwd: string): string {
  try {
    return lastingDestination(answer.trim(), cwd)
  } catch (error) {
    if (!(error instanceof BadValue)) throw error
    throw new LuminaError('usage', `that answer ${error.message}`, { hint: example })
  }
}

/** @throws `interrupted` on Ctrl-C, `no-destination` on Ctrl-D */
async function question(io: Io, text: string): Promise<string> {
  const lines = createInterface({ input: io.stdin, output: io.stderr })
  const given = new AbortController()
  lines.once('close', () => given.abort(new LuminaError('no-destination', 'no answer', { hint: example })))
  lines.once('SIGINT', () => given.abort(new LuminaError('interrupted', 'interrupted')))
  try {
    return await lines.question(text, { signal: given.signal })
  } catch (error) {
    throw given.signal.aborted ? given.signal.reason : error
  } finally {
    lines.close()
  }
}
