import type { Config } from '../config.ts'
import type { CommandName } from '../config/settings.ts'
import { LuminaError } from '../errors.ts'
import type { Io } from '../report/io.ts'
import type { Invocation } from './program.ts'

type Run = (invocation: Invocation, config: Config, io: Io) => Promise<number>

/** Each command is loaded only when it runs. */
const commands: Readonly<Record<CommandName, Run>> = {
  upload: async ({ args }, config, io) => {
    refuseNoPaths(args, config, 'lumina upload ~/Pictures --to ./library')
    return (await import('../commands/upload.ts')).upload(config, args, io)
  },
  verify: async ({ args }, config, io) => {
    refuseNoPaths(args, config, 'lumina verify ~/Pictures --to ./library')
    return (await import('../commands/verify.ts')).verify(config, args, io)
  },
  status: async (_, config, io) => (await import('../commands/status.ts')).status(config, io),
  config: async ({ request }, config, io) => (await import('../commands/config.ts')).configure(config, request, io),
  doctor: async (_, config, io) => (await import('../commands/doctor.ts')).doctor(config, io),
  login: async ({ login }, config, io) => (await import('../commands/login.ts')).login(config, login, io),
  init: async ({ init }, config, io) =>
    (await import('../commands/init.ts')).init(config, init ?? { service: '', apply: false }, io),
  index: async ({ args }, config, io) =>
    (await import('../commands/index-library.ts')).indexLibrary(config, args[0] ?? '.', io),
}

/** Runs what the command line asks for; resolves with its exit code. */
export function dispatch(invocation: Invocation, config: Config, io: Io): Promise<number> {
  return commands[invocation.command](invocation, config, io)
}

function refuseNoPaths(args: readonly string[], config: Config, example: string): void {
  if (args.length > 0 || config.filesFrom !== undefined) return
  throw new LuminaError('usage', 'no path is given', { hint: `for example: ${example}` })
}
