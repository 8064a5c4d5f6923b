import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import pg from 'pg'

/** The roles of a Supabase project, which all databases of a server share; and, as there, whatever is made in `public` is theirs. */
export const rolesSql = [
  ...['anon', 'authenticated', 'service_role'].map(
    (role) =>
      `do $$ begin create role ${role} nologin noinherit; exception when duplicate_object or unique_violation then null; end $$;`,
  ),
  'alter default privileges in schema public grant all on functions to anon, authenticated, service_role',
]

export interface Claims {
  role: string
  sub?: string
  exp?: number
}

export interface Gateway {
  url: string
  token(claims: Claims): string
  /** Asked before each call: what it gives is answered instead; `cut` runs the call, and its answer is lost. */
  instead?: (name: string) => { status: number; body: object } | 'cut' | undefined
  close(): Promise<void>
}

/** The RPC of PostgREST in front of a real database: verifies a JWT, takes on its role, calls `public.<function>`, all in one transaction. */
export async function rpcGateway(connection: string): Promise<Gateway> {
  const secret = 'a secret of this test alone, and long enough'
  const pool = new pg.Pool({ connectionString: connection, max: 8 })
  pool.on('error', () => undefined)
  const server = createServer((request, response) => void handle(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const gateway: Gateway = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: (claims) => signed(claims, secret),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await pool.end()
    },
  }
  return gateway

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request)
    const name = /^\/rest\/v1\/rpc\/(\w+)$/.exec(request.url ?? '')?.[1]
    const instead = gateway.instead?.(name ?? '')
    const [status, answer] =
      instead && instead !== 'cut' ? [instead.status, instead.body] : await answerTo(request, name, body)
    if (instead === 'cut') return void request.socket.destroy()
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  }

  async function answerTo(
    request: IncomingMessage,
    name: string | undefined,
    body: string,
  ): Promise<[number, unknown]> {
    if (name === undefined || request.method !== 'POST' || request.headers['apikey'] === undefined)
      return [404, { code: 'PGRST125', message: 'Invalid path specified in request URL' }]
    const claims = verified(request.headers.authorization?.replace(/^Bearer /, '') ?? '', secret)
    if (claims === undefined) return [401, { code: 'PGRST301', message: 'No suitable key or wrong key type' }]
    if ((claims.exp ?? Infinity) * 1000 < Date.now()) return [401, { code: 'PGRST303', message: 'JWT expired' }]
    return call(name, JSON.parse(body) as object, claims)
  }

  async function call(name: string, args: object, claims: Claims): Promise<[number, unknown]> {
    const client = await pool.connect()
    try {
      await client.query('begin')
      const set = "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)"
      await client.query(set, [claims.role, JSON.stringify(claims)])
      const given = Object.keys(args).map((arg, at) => `${arg} => $${at + 1}`)
      const values = Object.values(args).map((each) =>
        typeof each === 'object' && each !== null ? JSON.stringify(each) : each,
      )
      const { rows } = await client.query(`select public.${name}(${given.join(', ')}) as answer`, values)
      await client.query('commit')
      return [200, (rows[0] as { answer: unknown }).answer]
    } catch (error) {
      await client.query('rollback')
      return refusal(error as pg.DatabaseError, claims.role)
    } finally {
      client.release()
    }
  }
}

/** https://docs.postgrest.org/en/stable/references/errors.html */
function refusal({ code = '', message, detail }: pg.DatabaseError, role: string): [number, object] {
  if (code === '42883')
    return [
      404,
      { code: 'PGRST202', message: `Could not find the function: ${message}`, details: detail ?? null, hint: null },
    ]
  const status =
    code === '42501' ? (role === 'anon' ? 401 : 403) : code.startsWith('40') ? 500 : code === '23505' ? 409 : 400
  return [status, { code, message, details: detail ?? null, hint: null }]
}

function signed(claims: Claims, secret: string): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const content = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`
  return `${content}.${mac(content, secret).toString('base64url')}`
}

function verified(token: string, secret: string): Claims | undefined {
  const [header, payload, signature = ''] = token.split('.')
  const given = Buffer.from(signature, 'base64url')
  const expected = mac(`${header}.${payload}`, secret)
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
  return JSON.parse(Buffer.from(payload ?? '', 'base64url').toString()) as Claims
}

function mac(content: string, secret: string): Buffer {
  return createHmac('sha256', secret).update(content).digest()
}
