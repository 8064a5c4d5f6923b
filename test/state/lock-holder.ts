import { isLocked, tryLock } from '../../src/state/lock.ts'

/** `hold`: takes the lock, says so and keeps it until it is killed. `look`: asks, again and again, whether it is held. */
const [what = '', path = ''] = process.argv.slice(2)

if (what === 'hold') {
  process.stdout.write(tryLock(path) ? 'held\n' : 'refused\n')
  setInterval(() => undefined, 1000)
} else {
  process.stdout.write('looking\n')
  for (;;) {
    isLocked(path)
    await new Promise(setImmediate)
  }
}
