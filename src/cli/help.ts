import type { CommandName } from '../config/settings.ts'

export interface CommandHelp {
  description: string
  usage: string
  argument?: [name: string, description: string]
  /** A line to type, and what it does. */
  examples: readonly (readonly [line: string, what: string])[]
}

export const commandHelp: Readonly<Record<CommandName, CommandHelp>> = {
  upload: {
    description: 'send photos and videos to a destination, once each',
    usage: '[options] <path...>',
    argument: ['[path...]', 'folders and files'],
    examples: [
      ['lumina upload ~/Pictures --to ./library', 'a folder into a local library'],
      ['lumina upload /media/card -n -v --to nas', 'say what would happen with every file'],
      [
        "lumina upload /media/card --to nas --layout '{taken:yyyy}/{taken:MM}/{name}{ext}'",
        'sorted by the day they were taken',
      ],
      ["lumina upload . --to nas --include '*.CR3' --since 7d", 'the raw files of the last week'],
      ['find . -newer stamp -print0 | lumina upload --files-from - -0 --to nas', 'what another program chose'],
      ['lumina upload ~/Pictures --to nas --bwlimit 20Mbit --max-duration 6h -q', 'from cron, at night, gently'],
      ['lumina upload ~/Pictures --to nas --json | jq .', 'events for another program'],
    ],
  },
  verify: {
    description: 'compare every byte of the source with what is stored: exit 0 means safe to wipe',
    usage: '[options] <path...>',
    argument: ['[path...]', 'folders and files'],
    examples: [
      ['lumina verify /media/card --to nas', 'before the card is wiped'],
      ['lumina verify ~/Pictures --to ./library --quick', 'trust the catalog, read only the source'],
      ["lumina verify /media/card --to nas --exclude 'MISC/**'", 'without what was never meant to go up'],
      ['lumina verify /media/card --to nas --json > report.ndjson', 'one line a file, for another program'],
    ],
  },
  status: {
    description: 'the last runs, what failed, and what would resume',
    usage: '[options]',
    examples: [
      ['lumina status', 'the last runs'],
      ['lumina status -v', 'with every failure by name'],
      ['lumina status --json | jq .runs[0]', 'the last run, for another program'],
    ],
  },
  config: {
    description: 'read and change settings',
    usage: '<get|set|unset|list> ...',
    examples: [
      ['lumina config set destinations.nas /mnt/nas/photos', 'then: lumina upload ~/Pictures --to nas'],
      ['lumina config set to nas', 'where photos go when nothing else is said'],
      ["lumina config set exclude '*.tmp' 'previews/**'", 'a setting that is a list'],
      ['lumina config get layout', 'one value'],
      ['lumina config list --show-origin', 'every value, and which flag, variable or file set it'],
      ['lumina config unset bwlimit', 'back to the default'],
    ],
  },
  doctor: {
    description: 'check this machine and the destination, and say what to do',
    usage: '[options]',
    examples: [
      ['lumina doctor', 'this machine and the usual destination'],
      ['lumina doctor --to nas', 'another destination'],
      ['lumina doctor --to nas --sweep', 'and remove temporary files that nobody holds'],
      ['lumina doctor --json', 'for another program'],
    ],
  },
  login: {
    description: 'log in with your own account, where you have no key',
    usage: '[options] supabase',
    argument: ['<service>', 'supabase'],
    examples: [
      ['lumina login supabase', 'asks for email and password; SUPABASE_URL and SUPABASE_ANON_KEY save two questions'],
      ['get-session | lumina login supabase --token-stdin', 'a session that another program got'],
      ['lumina login supabase --logout', 'ends it, here and at the project'],
    ],
  },
  init: {
    description: 'prepare a Supabase project to be a catalog that machines share',
    usage: '[options] supabase',
    argument: ['<service>', 'supabase'],
    examples: [
      [
        'lumina init supabase > supabase/migrations/20260101000000_lumina.sql',
        'the migration, to be looked at and pushed',
      ],
      ['lumina init supabase --apply', 'applies it to the database of LUMINA_CATALOG or DATABASE_URL'],
    ],
  },
  index: {
    description: 'take objects that a library held before Lumina into its catalog',
    usage: '[options] <library>',
    argument: ['<library>', 'the folder of a local library'],
    examples: [
      ['lumina index /mnt/nas/photos', 'then nothing of it is sent again'],
      ['lumina index ./library --json', 'events for another program'],
    ],
  },
}

export const exitCodeHelp = `
Exit codes:
    0  all done
    1  some files failed, or are not stored (verify), or something is wrong (doctor)
    2  usage or configuration
    4  the destination refused: login, permission, missing, full, read-only
    5  the destination could not be reached, or kept failing
    9  nothing to do, with --error-on-no-transfer
   10  a limit ended the run
   11  another run holds the lock
   70  a bug in Lumina
  129, 130, 143  interrupted: SIGHUP, SIGINT, SIGTERM
  141  nobody read stdout any more

Every option has its variable: --min-size is LUMINA_MIN_SIZE. Options go before variables, these before
lumina.config.json of the project, this before the file that \`lumina config set\` writes.

Examples:
  lumina upload ~/Pictures --to ./library   send a folder
  lumina verify ~/Pictures --to ./library   before you wipe it
  lumina status                             what happened last
`
