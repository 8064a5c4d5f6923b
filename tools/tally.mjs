// `node tools/tally.mjs <vitest's JSON report>`: prints "N passed, N failed[, N skipped]"; red if a test failed or none ran.
import { readFileSync } from 'node:fs'

const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = report()

// A file that could not be loaded has no tests that could fail: it counts as one.
const unloaded = testResults.filter((file) => file.status === 'failed' && !file.assertionResults.some(isFailed)).length
const failed = numFailedTests + unloaded
const skipped = numPendingTests + numTodoTests

console.log(`${numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed > 0 || numPassedTests === 0 ? 1 : 0

function isFailed({ status }) {
  return status === 'failed'
}

/** The report; one without tests where there is none, as when vitest did not start. */
function report() {
  try {
    return JSON.parse(readFileSync(process.argv[2], 'utf8'))
  } catch (error) {
    console.error(`no test report: ${error.message}`)
    return { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] }
  }
}
