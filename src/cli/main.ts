import { type Config, loadConfig } from '../config.ts'
import { redact, refuseSecrets } from '../config/secrets.ts'
import { exitCodeOf, LuminaError } from '../errors.ts'
import { exitCodeOfHangup, flushed, type Io } from '../report/io.ts'
import { printable } from '../report/printable.ts'
import { dispatch } from './commands.ts'
import { writeCrashReport } from './crash-report.ts'
import { parse } from './program.ts'

interface Run {
  readonly argv: readonly string[]
  readonly io: Io
  config?: Config
}

/** One command line: the only place where errors end, and where they become an exit code. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const run: Run = { argv, io }
  try {
    const code = await runCommand(run)
    await flushed(io.stdout)
    return io.hangup.aborted ? hangupCode(run) : code
  } catch (error) {
    return io.hangup.aborted ? hangupCode(run) : reportError(error, run)
  }
}

async function runCommand(run: Run): Promise<number> {
  const { argv, io } = run
  refuseSecrets(argv)
  const invocation = parse(argv, io)
  if (typeof invocation === 'number') return invocation
  const { command, flags } = invocation
  run.config = await loadConfig({ command, flags, env: io.env, cwd: io.cwd, nowMs: io.now() })
  if (!run.config.quiet) for (const notice of run.config.notices) io.stderr.write(`lumina: ${printable(notice)}\n`)
  return dispatch(invocation, run.config, io)
}

/** A reader that went away is no error of ours, so nothing is said; a full disk under stdout is one. */
function hangupCode(run: Run): number {
  const reason: unknown = run.io.hangup.reason
  return reason instanceof LuminaError ? reportError(reason, run) : exitCodeOfHangup
}

/** Says on stderr what went wrong and what to do. Never a stack, unless asked for; never a secret. */
export function reportError(error: unknown, { argv, io, config }: Run): number {
  const say = (text: string): void => void io.stderr.write(`${text}\n`)
  const clean = (text: string): string => printable(redact(text, io.env))
  if (error instanceof LuminaError && error.code === 'interrupted') return exitCodeOf(error)
  if (error instanceof LuminaError && error.code !== 'bug') {
    say(`lumina: ${clean(error.message)}`)
    if (error.hint !== undefined) say(`  ${clean(error.hint)}`)
  } else {
    const file = writeCrashReport(error, { argv, env: io.env, stateDir: config?.state, nowMs: io.now() })
    say(`lumina: internal error: ${clean(firstLine(error))}`)
    say(
      file === undefined
        ? '  This is a bug in Lumina; LUMINA_DEBUG=1 shows where.'
        : `  This is a bug in Lumina; ${clean(file)} says where.`,
    )
  }
  if (wantsStack(argv, io.env)) say(redact(stackOf(error), io.env).split('\n').map(printable).join('\n'))
  return exitCodeOf(error)
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] as string
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

function wantsStack(argv: readonly string[], env: NodeJS.ProcessEnv): boolean {
  return Boolean(env['LUMINA_DEBUG']) || argv.some((each) => each === '--verbose' || /^-\w*v/.test(each))
}
