import { latin1 } from '../hash/bytes.ts'
import { takenAtUnix, type TakenAt } from './taken-at.ts'

const TAKEN = /"photoTakenTime"\s*:\s*\{[^{}]{0,200}?"timestamp"\s*:\s*"?(-?\d{1,12})/

/** When a photo was taken by Google's metadata: in UTC, for Google knows no other; 0 is Google's word for nobody knows. */
export function takenAtOfTakeout(metadata: Uint8Array): TakenAt | undefined {
  const seconds = TAKEN.exec(latin1(metadata, 0, metadata.length))?.[1]
  return seconds === undefined || Number(seconds) === 0 ? undefined : takenAtUnix(Number(seconds), 0)
}
