import { flushed, processIo } from '../report/io.ts'
import { main, reportError } from './main.ts'

/** Runs one command line as this process, to its exit. */
export async function runProcess(argv: readonly string[]): Promise<never> {
  const io = processIo()
  process.on('uncaughtException', (error) => process.exit(reportError(error, { argv, io })))
  const code = await main(argv, io)
  await flushed(io.stdout)
  await flushed(io.stderr)
  // Connections kept alive and idle threads would hold the process for a while after its work is done.
  process.exit(code)
}
