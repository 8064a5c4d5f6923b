// `node bench/storage/server.ts [latencyMs]`: the storage service of the tests as a process of its own, so that its work is in nobody's
// figures; says where it is, and ends with whoever started it. With a latency, behind a proxy that adds it to every round trip.
import { faultProxy } from '../../test/faults/proxy.ts'
import { startStorage } from '../../test/supabase/storage.ts'

const latencyMs = Number(process.argv[2] ?? 0)
const storage = await startStorage({ poolSize: 1000 })
let { url } = storage
if (latencyMs > 0) {
  const proxy = await faultProxy({ host: '127.0.0.1', port: storage.port })
  proxy.all({ latencyMs })
  url = proxy.url
}
process.stdout.write(`${JSON.stringify({ url, direct: storage.url, key: storage.serviceKey })}\n`)
process.stdin.on('end', () => process.exit(0)).resume()
