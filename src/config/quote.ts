import { holdsSecret } from './secrets.ts'

const longest = 60

/** `text` in quotes for a message: cut to a readable length, and hidden when it looks like a secret. */
export function quote(text: string): string {
  if (holdsSecret(text)) return 'what it is set to'
  return `"${text.length > longest ? `${text.slice(0, longest)}…` : text}"`
}
