import { Command, CommanderError, Option } from 'commander'

import type { ConfigRequest } from '../commands/config.ts'
import type { InitRequest } from '../commands/init.ts'
import type { LoginRequest } from '../commands/login.ts'
import type { Flags } from '../config/layers.ts'
import {
  type CommandName,
  groups,
  isNegated,
  type Setting,
  type SettingName,
  settingNames,
  settingOf,
} from '../config/settings.ts'
import { exitCodes, LuminaError } from '../errors.ts'
import type { Io } from '../report/io.ts'
import { version } from '../version.ts'
import { type CommandHelp, commandHelp, exitCodeHelp } from './help.ts'

/** A command line, understood as far as that goes without reading settings from elsewhere. */
export interface Invocation {
  readonly command: CommandName
  readonly args: string[]
  readonly flags: Flags
  /** For `config` only. */
  readonly request: ConfigRequest
  /** For `init` only. */
  readonly init?: InitRequest
  /** For `login` only. */
  readonly login: LoginRequest
}

/**
 * Understands a command line. Returns an exit code when all is said already (`--help`).
 * @throws `usage`, with what was probably meant
 */
export function parse(argv: readonly string[], io: Io): Invocation | number {
  let invocation: Invocation | undefined
  const program = buildProgram(io, (chosen) => {
    invocation = chosen
  })
  try {
    program.parse(argv, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) return exitCodeFor(error)
    throw error
  }
  return invocation ?? exitCodes.usage
}

/** The wish for help ends well; being shown the help for want of a command does not. */
function exitCodeFor(error: CommanderError): number {
  if (error.exitCode === 0) return exitCodes.done
  if (error.code === 'commander.help') return exitCodes.usage
  const [message, suggestion] = error.message.replace(/^error: /, '').split('\n')
  throw new LuminaError('usage', message as string, {
    hint: suggestion?.replace(/^\((.*)\)$/, '$1') ?? '`lumina --help` and `lumina <command> --help` show what there is',
  })
}

type Choose = (invocation: Invocation) => void

function buildProgram(io: Io, choose: Choose): Command {
  const program = new Command('lumina')
    .description(
      'Gets every photo off disks, cards and archives into storage: once each, verified, in constant memory.',
    )
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: () => {},
      getOutHelpWidth: () => io.stdout.columns ?? 100,
      getErrHelpWidth: () => io.stderr.columns ?? 100,
    })
    .addHelpText('after', exitCodeHelp)
  for (const name of ['upload', 'verify', 'status', 'doctor', 'index'] as const) addCommand(program, name, choose)
  addConfigCommand(program, choose)
  addInitCommand(program, choose)
  addLoginCommand(program, choose)
  return program
}

const noRequest: ConfigRequest = { do: 'list', showOrigin: false }
const noLogin: LoginRequest = { service: '', logout: false, tokenStdin: false }

function addCommand(program: Command, name: Exclude<CommandName, 'config' | 'login' | 'init'>, choose: Choose): void {
  const help: CommandHelp = commandHelp[name]
  const command = program
    .command(name)
    .description(help.description)
    .usage(help.usage)
    .addHelpText('after', examplesOf(help))
  if (help.argument !== undefined) command.argument(...help.argument)
  addSettings(command, name)
  command.action((...[args]: unknown[]) => {
    const list = Array.isArray(args) ? (args as string[]) : typeof args === 'string' ? [args] : []
    choose({ command: name, args: list, flags: flagsOf(command), request: noRequest, login: noLogin })
  })
}

function addConfigCommand(program: Command, choose: Choose): void {
  const help = commandHelp.config
  const config = program.command('config').description(help.description).addHelpText('after', examplesOf(help))
  const ask = (command: Command, request: (...args: never[]) => ConfigRequest): void => {
    addSettings(command, 'config')
    const examples = help.examples.filter(([line]) => line.startsWith(`lumina config ${command.name()} `))
    command.addHelpText('after', examplesOf({ ...help, examples }))
    command.action((...args: unknown[]) =>
      choose({
        command: 'config',
        args: [],
        flags: flagsOf(command),
        request: request(...(args as never[])),
        login: noLogin,
      }),
    )
  }
  const list = config
    .command('list')
    .description('every setting and its value')
    .option('--show-origin', 'and where it comes from')
  ask(list, () => ({ do: 'list', showOrigin: list.opts<{ showOrigin?: true }>().showOrigin === true }))
  ask(config.command('get <key>').description('the value of one setting'), (key: string) => ({ do: 'get', key }))
  ask(
    config.command('set <key> <value...>').description("write a setting into the user's file"),
    (key: string, values: string[]) => ({ do: 'set', key, values }),
  )
  ask(config.command('unset <key>').description("take a setting out of the user's file"), (key: string) => ({
    do: 'unset',
    key,
  }))
}

function addLoginCommand(program: Command, choose: Choose): void {
  const help = commandHelp.login
  const command = program
    .command('login')
    .description(help.description)
    .usage(help.usage)
    .addHelpText('after', examplesOf(help))
    .option('--token-stdin', 'read a session, or its tokens, from stdin')
    .option('--logout', 'end the login')
  if (help.argument !== undefined) command.argument(...help.argument)
  addSettings(command, 'login')
  command.action((service: string, { logout = false, tokenStdin = false }: Partial<LoginRequest>) =>
    choose({
      command: 'login',
      args: [],
      flags: flagsOf(command),
      request: noRequest,
      login: { service, logout, tokenStdin },
    }),
  )
}

function addInitCommand(program: Command, choose: Choose): void {
  const help = commandHelp.init
  const command = program
    .command('init')
    .description(help.description)
    .usage(help.usage)
    .addHelpText('after', examplesOf(help))
    .option('--apply', 'apply the migration to the database, instead of printing it')
  if (help.argument !== undefined) command.argument(...help.argument)
  addSettings(command, 'init')
  command.action((service: string, { apply = false }: { apply?: boolean }) => {
    const asked = { request: noRequest, login: noLogin, init: { service, apply } }
    choose({ command: 'init', args: [], flags: flagsOf(command), ...asked })
  })
}

function examplesOf({ examples }: CommandHelp): string {
  return `\nExamples:\n${examples.map(([line, what]) => `  ${line}\n      ${what}`).join('\n')}\n`
}

/** Every setting that the command heeds. Switches can be turned the other way too, over what a file says. */
function addSettings(command: Command, name: CommandName): void {
  for (const group of groups) {
    for (const setting of settingNames.map(settingOf)) {
      if (setting.group === group && setting.commands.includes(name)) addSetting(command, setting)
    }
  }
}

function addSetting(command: Command, setting: Setting<unknown>): void {
  const { flag, short, type, repeats, group } = setting
  const heading = `${group}:`
  if (type.placeholder !== undefined && !isCount(setting)) {
    const option = new Option(`--${flag} <${type.placeholder}>`, describe(setting)).helpGroup(heading)
    command.addOption(
      repeats ? option.argParser<string[] | undefined>((value, before) => [...(before ?? []), value]) : option,
    )
    return
  }
  const negated = isNegated(setting)
  const on = new Option(`${short === undefined ? '' : `-${short}, `}--${flag}`, describe(setting)).helpGroup(heading)
  if (isCount(setting)) on.argParser<number | undefined>((_, before) => (before ?? 0) + 1)
  command.addOption(negated ? on.hideHelp() : on)
  const off = new Option(`--no-${flag}`, describe(setting)).helpGroup(heading)
  command.addOption(negated ? off : off.hideHelp())
}

/** A number that counts how often its flag stands there. */
function isCount({ repeats, type }: Setting<unknown>): boolean {
  return repeats === true && type.item === undefined
}

function describe({ help, default: value, written }: Setting<unknown>): string {
  const isTelling = (typeof value === 'string' || typeof value === 'number') && value !== 0
  return isTelling ? `${help} (default: ${written ?? value})` : help
}

function flagsOf(command: Command): Flags {
  const given = command.opts<Record<string, Flags[SettingName]>>()
  const entries = settingNames.map((name) => [name, given[attributeOf(settingOf(name).flag)]] as const)
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

/** Commander's name for a flag's value. */
function attributeOf(flag: string): string {
  return flag.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
}
