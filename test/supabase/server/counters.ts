/** What reached the server. Bodies are counted as they come off the wire, whatever becomes of them. */
export class Counters {
  /** By method and route: `PATCH /upload/resumable`. */
  readonly requests = new Map<string, number>()
  /** Body bytes by `bucket/key`. */
  readonly bodyBytes = new Map<string, number>()
  /** Body bytes by resumable upload: `uploadIdOf` its URL. */
  readonly uploadBytes = new Map<string, number>()
  refreshes = 0

  count(route: string): void {
    add(this.requests, route, 1)
  }

  reset(): void {
    this.requests.clear()
    this.bodyBytes.clear()
    this.uploadBytes.clear()
    this.refreshes = 0
  }
}

export const add = (counts: Map<string, number>, name: string, by: number): void => {
  counts.set(name, (counts.get(name) ?? 0) + by)
}
