import { closeSync, readSync } from 'node:fs'

import type { Item } from './item.ts'
import { takenFrom, type TakenAt } from './layout.ts'
import { unknownKind } from './outcomes.ts'
import { openAsset, sourceFailure } from './source.ts'

/** EXIF lies in front; 256 KiB covers the largest maker notes that come before the date. */
const metadataBytes = 256 * 1024

/** Learns when and with what a photo was taken, from its own metadata or, for a sidecar, from what it says of its photo. */
export async function describe(item: Item): Promise<void> {
  const { captured, cameraName } = await import('../media/captured.ts')
  const kind = item.kind ?? unknownKind
  const fd = openAsset(item.file.path)
  try {
    const readAt = (offset: number, length: number): Uint8Array => readSome(fd, offset, length, item.file.path)
    const head = item.held ?? readAt(0, Math.min(item.file.stamp.bytes, metadataBytes))
    const { takenAt, camera, from } = captured(head, kind, { readAt, bytes: item.file.stamp.bytes })
    item.taken = takenAt && (from === 'quicktime' || from === 'takeout') ? localTime(takenAt) : takenAt
    item.camera = camera && cameraName(camera)
  } finally {
    closeSync(fd)
  }
}

/** Movies and Takeout write UTC, and a folder is named after the day that its photographer lived: as near as this machine's clock knows. */
function localTime(taken: TakenAt & { offsetMinutes?: number }): TakenAt {
  if (taken.offsetMinutes !== 0) return taken
  const { year, month, day, hour, minute, second } = taken
  return takenFrom(new Date(Date.UTC(year, month - 1, day, hour, minute, second)))
}

function readSome(fd: number, offset: number, length: number, path: string): Uint8Array {
  const into = Buffer.allocUnsafe(length)
  try {
    return into.subarray(0, readSync(fd, into, 0, length, offset))
  } catch (error) {
    throw sourceFailure(error, path)
  }
}
