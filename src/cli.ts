import { writeSync } from 'node:fs'

import { version } from './version.ts'

const argv = process.argv.slice(2)
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
  // Nothing else is loaded for it, not even `process.stdout`.
  try {
    writeSync(1, `${version}\n`)
  } catch {
    // Nobody reads it.
  }
} else {
  const { runProcess } = await import('./cli/run-process.ts')
  await runProcess(argv)
}
