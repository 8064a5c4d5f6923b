import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'

export interface TestPostgres {
  /** A new database on the server; its URL. */
  database(): Promise<string>
  /** Cuts every connection to a database, as a restart does. */
  cut(url: string): Promise<void>
  stop(): Promise<void>
}

const debianRoot = '/usr/lib/postgresql'

/** Why there is no server to test with; undefined when there is one. */
export const noPostgres = process.env['DATABASE_URL'] || binaries() ? undefined : 'no PostgreSQL is installed'

/** The server of DATABASE_URL, else one of this test file alone, in a temporary folder, on a port of its own. */
export async function postgresForTests(): Promise<TestPostgres> {
  const given = process.env['DATABASE_URL']
  if (given) return server(given, async () => undefined)
  const bin = binaries()
  if (bin === undefined) throw new Error(noPostgres)
  const folder = mkdtempSync(join(tmpdir(), 'lumina-postgres-'))
  const data = join(folder, 'data')
  const port = await freePort()
  asUser(['chown', 'postgres', folder], { root: true })
  asUser([join(bin, 'initdb'), '-D', data, '-U', 'postgres', '-A', 'trust', '-N', '-E', 'UTF8', '--locale=C.UTF-8'])
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    port,
    fsync: 'off',
    max_connections: 300,
  }
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const [program = '', ...args] = command([join(bin, 'postgres'), '-D', data, ...options])
  const child = spawn(program, args, { stdio: 'ignore', cwd: '/' })
  const stopped = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  await answering(url, child)
  return server(url, async () => {
    // setpriv becomes the server, so that this is its own signal: fast shutdown
    child.kill('SIGINT')
    await stopped
    rmSync(folder, { recursive: true, force: true })
  })
}

function server(url: string, stop: () => Promise<void>): TestPostgres {
  return {
    async database() {
      const name = `lumina_test_${randomBytes(6).toString('hex')}`
      await once(url, `create database ${name}`)
      const made = new URL(url)
      made.pathname = `/${name}`
      return made.href
    },
    cut: (database) =>
      once(
        url,
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${new URL(database).pathname.slice(1)}'`,
      ),
    stop,
  }
}

/** Runs SQL on a connection of its own. */
export async function once(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

async function answering(url: string, child: { exitCode: number | null }): Promise<void> {
  for (;;) {
    try {
      return await once(url, 'select 1')
    } catch (error) {
      if (child.exitCode !== null) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

function binaries(): string | undefined {
  if (!existsSync(debianRoot)) return undefined
  const versions = readdirSync(debianRoot).toSorted((a, b) => Number(b) - Number(a))
  return versions.map((version) => join(debianRoot, version, 'bin')).find((bin) => existsSync(join(bin, 'initdb')))
}

/** PostgreSQL refuses to run as root. */
function command(args: string[]): string[] {
  return userInfo().uid === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', ...args] : args
}

function asUser(args: string[], { root = false } = {}): void {
  if (root && userInfo().uid !== 0) return
  const [program = '', ...rest] = root ? args : command(args)
  execFileSync(program, rest, { stdio: 'pipe', cwd: '/' })
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}
