import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'
import { freePort } from './server.ts'

export interface Pooler {
  /** Where the database is reached through it. */
  url: string
  stop(): Promise<void>
}

/** Why there is no pooler to test with; undefined when there is one. */
export const noPooler =
  spawnSync('pgbouncer', ['--version']).status === 0
    ? undefined
    : 'there is no pgbouncer (Debian: apt-get install pgbouncer)'

/** A pgbouncer that gives each transaction whichever of its `size` sessions is free, and refuses what needs one of its own. */
export async function poolerFor(database: string, { size }: { size: number }): Promise<Pooler> {
  const { hostname, port, pathname, username, password } = new URL(database)
  const folder = mkdtempSync(join(tmpdir(), 'lumina-pooler-'))
  chmodSync(folder, 0o755)
  const own = await freePort()
  const name = pathname.slice(1)
  const word = decodeURIComponent(password)
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: own,
    unix_socket_dir: '',
    pool_mode: 'transaction',
    auth_type: 'any',
    default_pool_size: size,
    max_client_conn: 200,
  }
  const lines = Object.entries(settings).map(([setting, value]) => `${setting} = ${value}`)
  const target = `host=${hostname} port=${port} dbname=${name} user=${username} password='${word}'`
  const file = join(folder, 'pooler.ini')
  writeFileSync(file, `[databases]\n${name} = ${target}\n[pgbouncer]\n${lines.join('\n')}\n`, { mode: 0o644 })
  // it does not run as root
  const user = ['--reuid=postgres', '--regid=postgres', '--clear-groups']
  const command = ['pgbouncer', '-q', file] as const
  const isRoot = process.getuid?.() === 0
  const child = spawn(isRoot ? 'setpriv' : 'pgbouncer', isRoot ? [...user, ...command] : command.slice(1), {
    stdio: 'ignore',
    cwd: '/',
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const url = new URL(database)
  url.port = `${own}`
  await answering(url.href, () => child.exitCode !== null)
  return {
    url: url.href,
    async stop() {
      child.kill('SIGTERM')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function answering(url: string, hasEnded: () => boolean): Promise<void> {
  for (;;) {
    const client = new pg.Client({ connectionString: url })
    try {
      await client.connect()
      return await client.end()
    } catch (error) {
      if (hasEnded()) throw error
      await wait(50)
    }
  }
}
