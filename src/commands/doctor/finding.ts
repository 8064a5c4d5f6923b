/** What one look found. A `problem` makes `lumina doctor` exit with 1; a `note` is worth knowing. */
export interface Finding {
  level: 'ok' | 'note' | 'problem'
  /** What was looked at, as a stable word. */
  check: string
  message: string
  /** What to do about it. */
  hint?: string
}

export const ok = (check: string, message: string): Finding => ({ level: 'ok', check, message })
export const note = (check: string, message: string, hint?: string): Finding => finding('note', check, message, hint)
export const problem = (check: string, message: string, hint?: string): Finding =>
  finding('problem', check, message, hint)

function finding(level: Finding['level'], check: string, message: string, hint: string | undefined): Finding {
  return { level, check, message, ...(hint === undefined ? {} : { hint }) }
}
