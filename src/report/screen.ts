import type { ProgressEvent } from '../events.ts'

/** Where people read: lines that stay, and the state of the run in whatever form suits it. */
export interface Screen {
  /** `text` is printable; it gets its line end here. */
  line(text: string): void
  progress(event: ProgressEvent): void
  /** Takes away what does not stay, and leaves the terminal as it was. Lines may still follow. */
  end(): void
}
