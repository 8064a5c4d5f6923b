import type {
  IndexSummaryEvent,
  LuminaEvent,
  ProgressEvent,
  SummaryEvent,
  VerifySummaryEvent,
} from '../../src/events.ts'

export const progress = (over: Partial<ProgressEvent> = {}): ProgressEvent => ({
  event: 'progress',
  found: 5120,
  uploaded: 1200,
  skipped: 4,
  failed: 0,
  foundBytes: 12_400_000_000,
  uploadedBytes: 3_000_000_000,
  inFlightBytes: 100_000_000,
  walked: true,
  retries: 0,
  seconds: 30,
  ...over,
})

export const summary = (over: Partial<SummaryEvent> = {}): SummaryEvent => ({
  event: 'summary',
  found: 5120,
  uploaded: 4800,
  skipped: 300,
  failed: 20,
  bytes: 12_400_000_000,
  seconds: 148,
  skippedBy: { 'already-there': 280, 'not-a-photo': 18, empty: 2 },
  failedBy: { unreadable: 20 },
  retries: 3,
  lyingExtensions: 4,
  datedByMtime: 12,
  dryRun: false,
  destination: './library',
  verify: 'lumina verify ~/Pictures --to ./library',
  ...over,
})

export const verifySummary = (over: Partial<VerifySummaryEvent> = {}): VerifySummaryEvent => ({
  event: 'verify-summary',
  found: 5120,
  verified: 5100,
  notStored: 20,
  notStoredBy: { unknown: 1, rotten: 1, 'not-a-photo': 18 },
  bytes: 12_400_000_000,
  seconds: 148,
  quick: false,
  safeToWipe: false,
  destination: './library',
  ...over,
})

export const indexSummary = (over: Partial<IndexSummaryEvent> = {}): IndexSummaryEvent => ({
  event: 'index-summary',
  found: 12,
  indexed: 9,
  skipped: 2,
  failed: 1,
  bytes: 1000,
  seconds: 2,
  skippedBy: { 'not-a-photo': 2 },
  destination: './library',
  ...over,
})

const path = 'DCIM/IMG_1.jpg'

/** One of every kind. */
export const everyEvent: LuminaEvent[] = [
  { event: 'found', path, bytes: 7, kind: 'image/heic', extensionClaims: 'image/jpeg' },
  { event: 'hashed', path, digest: 'ab'.repeat(32) },
  { event: 'skipped', path, bytes: 7, reason: 'already-there', key: 'DCIM/IMG_1.jpg' },
  { event: 'uploaded', path, key: 'DCIM/IMG_1.jpg', digest: 'ab'.repeat(32), bytes: 7, kind: 'image/heic' },
  { event: 'failed', path, bytes: 7, code: 'unreadable', message: 'permission denied', hint: 'chmod it' },
  { event: 'retrying', path, attempt: 2, delayMs: 1500, code: 'destination-busy', message: 'busy' },
  { event: 'notice', code: 'no-hard-links', message: 'this file system knows no links' },
  progress(),
  summary(),
  { event: 'verified', path, key: 'DCIM/IMG_1.jpg', digest: 'ab'.repeat(32), bytes: 7 },
  { event: 'not-stored', path, bytes: 7, reason: 'rotten', key: 'DCIM/IMG_1.jpg', message: 'its last byte differs' },
  verifySummary(),
  { event: 'indexed', path, key: 'DCIM/IMG_1.jpg', digest: 'ab'.repeat(32), bytes: 7, kind: 'image/heic' },
  indexSummary(),
]
