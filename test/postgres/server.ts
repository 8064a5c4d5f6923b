import { execFileSync, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'

export interface TestPostgres {
  /** The URL of a new, empty database. */
  database(): Promise<string>
  /** Runs statements as the owner of everything. */
  run(url: string, sql: string): Promise<pg.QueryResult>
  stop(): Promise<void>
  /** Ends every session at once and takes no other, as a crash does, until `start`. Absent where the server is not ours. */
  crash?(): Promise<void>
  start?(): Promise<void>
}

const debian = '/usr/lib/postgresql'
const password = 'a password of tests'

/**
 * The PostgreSQL of DATABASE_URL, where databases may be made; else one of our own from Debian's package. `undefined`: there is none,
 * and the caller skips.
 */
export async function postgresForTests(): Promise<TestPostgres | undefined> {
  const given = process.env['DATABASE_URL']
  if (given) return new Databases(given)
  const bin = binaries()
  if (bin === undefined) {
    console.warn('Skipped: there is neither DATABASE_URL nor a PostgreSQL. Debian: apt-get install postgresql')
    return undefined
  }
  const server = new OwnServer(bin, await freePort())
  await server.start()
  return server
}

function binaries(): string | undefined {
  if (!existsSync(debian)) return undefined
  const versions = readdirSync(debian).toSorted((a, b) => Number(b) - Number(a))
  return versions.map((version) => join(debian, version, 'bin')).find((bin) => existsSync(join(bin, 'initdb')))
}

class Databases implements TestPostgres {
  readonly #url: string
  readonly #made: string[] = []

  constructor(url: string) {
    this.#url = url
  }

  async database(): Promise<string> {
    const name = `lumina_${randomUUID().replaceAll('-', '')}`
    await this.run(this.#url, `create database ${name}`)
    this.#made.push(name)
    const url = new URL(this.#url)
    url.pathname = `/${name}`
    return url.href
  }

  async run(url: string, sql: string): Promise<pg.QueryResult> {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    try {
      return await client.query(sql)
    } finally {
      await client.end()
    }
  }

  async stop(): Promise<void> {
    for (const name of this.#made) await this.run(this.#url, `drop database if exists ${name} with (force)`)
  }
}

class OwnServer extends Databases {
  readonly #bin: string
  readonly #port: number
  readonly #folder: string
  /** PostgreSQL does not run as root. */
  readonly #user: { uid?: number; gid?: number }

  constructor(bin: string, port: number) {
    super(`postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`)
    this.#bin = bin
    this.#port = port
    this.#user = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : {}
    this.#folder = mkdtempSync(join(tmpdir(), 'lumina-postgres-'))
    const passwordFile = join(this.#folder, 'password')
    writeFileSync(passwordFile, password)
    const { uid, gid } = this.#user
    if (uid !== undefined && gid !== undefined) {
      for (const path of [this.#folder, passwordFile]) chownSync(path, uid, gid)
    }
    this.#run('initdb', ['-D', this.#data, '-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-N'])
  }

  get #data(): string {
    return join(this.#folder, 'data')
  }

  async start(): Promise<void> {
    const settings = { fsync: 'off', max_connections: '300', listen_addresses: '127.0.0.1', deadlock_timeout: '100ms' }
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const args = ['-D', this.#data, '-p', `${this.#port}`, '-k', this.#folder, ...flags]
    const child = spawn(join(this.#bin, 'postgres'), args, { ...this.#user, cwd: this.#folder, stdio: 'ignore' })
    child.unref()
    // a test file that ends before its time must not leave a server behind
    process.once('exit', () => child.kill('SIGQUIT'))
    for (let tries = 0; !this.#isReady(); tries++) {
      if (tries === 300) throw new Error('PostgreSQL does not start.')
      await wait(100)
    }
  }

  #isReady(): boolean {
    try {
      this.#run('pg_isready', ['-h', '127.0.0.1', '-p', `${this.#port}`])
      return true
    } catch {
      return false
    }
  }

  async crash(): Promise<void> {
    this.#run('pg_ctl', ['stop', '-D', this.#data, '-m', 'immediate'])
  }

  override async stop(): Promise<void> {
    await this.crash()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #run(program: string, args: readonly string[]): void {
    execFileSync(join(this.#bin, program), args, { ...this.#user, cwd: this.#folder, stdio: 'ignore' })
  }
}

function idOf(flag: '-u' | '-g'): number {
  return Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => void server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
