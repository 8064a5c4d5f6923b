// `node bench/storage/bare.ts <url> <bucket> <folder> <transfers>`: the requests that an upload makes, and nothing else. SUPABASE_KEY lets in.
import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'

const [url = '', bucket = '', folder = '', transfers = '4'] = process.argv.slice(2)
const agent = new Agent({ keepAlive: true, maxSockets: 64 })
const authorization = `Bearer ${process.env['SUPABASE_KEY']}`
const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name))

async function ask(method: string, key: string, fd?: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const bytes = fd === undefined ? 0 : fstatSync(fd).size
    const body = fd === undefined ? {} : { 'content-length': bytes, 'content-type': 'image/jpeg' }
    const outgoing = request(`${url}/storage/v1/object/${bucket}/${key}`, {
      method,
      agent,
      headers: { authorization, ...body },
    })
    outgoing.on('response', (answer) => {
      answer
        .resume()
        .on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`${answer.statusCode}`))))
    })
    outgoing.on('error', reject)
    if (fd === undefined) return void outgoing.end()
    const buffer = Buffer.allocUnsafeSlow(Math.min(bytes, 256 * 1024))
    const next = (): void => {
      const got = readSync(fd, buffer)
      if (got === 0) outgoing.end()
      else outgoing.write(buffer.subarray(0, got), next)
    }
    next()
  })
}

const queue = files.entries()
await Promise.all(
  Array.from({ length: Number(transfers) }, async () => {
    for (const [at, file] of queue) {
      const fd = openSync(file, 'r')
      await ask('POST', `${at}.jpg`, fd)
      closeSync(fd)
      await ask('HEAD', `${at}.jpg`)
    }
  }),
)
agent.destroy()
