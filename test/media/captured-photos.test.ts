import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { sniff } from '../../src/hash/sniff.ts'
import { captured, type TakenAt } from '../../src/media/captured.ts'

const PHOTOS = new URL('../../../shared/photos/', import.meta.url)
const MANIFEST = new URL('manifest.json', PHOTOS)

interface Entry {
  path: string
  true_type: string
  capture_date: string | null
}

/** Where the manifest says otherwise, with the reason. */
const EXCEPTIONS: Record<string, string | undefined> = {
  // Its only date is IPTC's.
  'corrupt/RangeError_Offset_outside_bounds.jpg': undefined,
  // Cut short, but its Exif is whole.
  'corrupt/corrupt-header.jpg': '2004:03:20 14:54:55',
  'raw/fixture-Leica-M10.dng': '2017:01:05 17:54:40',
  // Its original date is zeros; the last change is what is left.
  'jpeg/Issue 609.jpg': '2023:04:05 09:06:56',
  // Photographed on the day of photoshop:DateCreated; scanned on that of xmp:CreateDate.
  'png-webp-avif-gif-tiff/Bush-dog.tif': '2003:08:30 00:00:00',
  // UTF-16.
  'sidecars/2000.xmp': '2000:09:27 14:35:33',
  'sidecars/2020.xmp': '2020:09:27 14:35:33',
  // exif:DateTimeOriginal, as the photo itself has it; the manifest's is of the edit.
  'sidecars/20240121_102400.JPG.xmp': '2024:01:21 10:24:00',
}

const two = (number: number): string => String(number).padStart(2, '0')

function written(taken: TakenAt | undefined): string | undefined {
  if (taken === undefined) return undefined
  const { year, month, day, hour, minute, second } = taken
  return `${year}:${two(month)}:${two(day)} ${two(hour)}:${two(minute)}:${two(second)}`
}

/** To the second, without its offset; zeros are no date. */
function expected({ path, capture_date }: Entry): string | undefined {
  if (path in EXCEPTIONS) return EXCEPTIONS[path]
  return capture_date === null || capture_date.startsWith('0000') ? undefined : capture_date.slice(0, 19)
}

describe.skipIf(!existsSync(MANIFEST))('the shared photos (../shared/photos; skipped where they are absent)', () => {
  const { files }: { files: Entry[] } = existsSync(MANIFEST)
    ? JSON.parse(readFileSync(MANIFEST, 'utf8'))
    : { files: [] }
  // The manifest dates no JSON.
  const dated = files.filter(({ true_type }) => true_type !== 'json')

  it.each([65_536, 262_144])('are dated as their manifest says, by a head of %d bytes and reads', (headBytes) => {
    for (const entry of dated) {
      const file = readFileSync(new URL(encodeURI(entry.path), PHOTOS))
      const kind = sniff(file, file.length)
      const readAt = (offset: number, length: number): Uint8Array => file.subarray(offset, offset + length)
      const { takenAt } = kind ? captured(file.subarray(0, headBytes), kind, { readAt, bytes: file.length }) : {}
      expect([entry.path, written(takenAt)]).toEqual([entry.path, expected(entry)])
    }
  })

  it("are dated by Takeout's metadata to the same instant", () => {
    const folder = 'takeout/Takeout1/Google Photos/Album test 6-10-23/'
    const photos = files.filter(({ path, true_type }) => path.startsWith(folder) && true_type === 'jpeg')
    for (const { path } of photos) {
      const read = (name: string): Buffer => readFileSync(new URL(encodeURI(name), PHOTOS))
      const seconds = (taken?: TakenAt): number =>
        taken === undefined
          ? Number.NaN
          : Date.UTC(taken.year, taken.month - 1, taken.day, taken.hour, taken.minute, taken.second) / 1000 -
            (taken.offsetMinutes ?? 0) * 60
      const photo = captured(read(path), 'image/jpeg').takenAt
      const metadata = captured(read(`${path}.json`), 'application/x-google-takeout+json').takenAt
      expect([path, seconds(metadata)]).toEqual([path, seconds(photo)])
    }
  })
})
