/** What becomes of the files that a walk finds. */
export type Task = 'upload' | 'verify' | 'index'

/** What a run does, as plain data: the same for the main thread and for every lane. */
export interface PipelineOptions {
  readonly task: Task
  readonly layout: string
  readonly prefix: string
  readonly onCollision: 'rename' | 'skip' | 'fail'
  /** Every key carries digits of its content's digest: for destinations where neither they nor a catalog settle who has a name. */
  readonly digestInNames?: boolean
  /** The destination or its catalog keeps when a photo was taken, and by which camera. */
  readonly keepsNotes?: boolean
  readonly filters: FilterOptions
  readonly allFiles: boolean
  readonly followSymlinks: boolean
  /** Distrust what the ledger remembers of digests. */
  readonly rehash: boolean
  readonly dryRun: boolean
  /** `verify`: don't read what is stored. */
  readonly quick: boolean
  /** Somebody wants an event for each asset, not only totals and failures. */
  readonly detail: boolean
}

export interface FilterOptions {
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  /** Lines in gitignore syntax, relative to each source. */
  readonly ignoreLines: readonly string[]
  readonly minBytes?: number
  readonly maxBytes?: number
  /** mtime, in milliseconds. */
  readonly sinceMs?: number
  readonly untilMs?: number
  /** Capture date, in milliseconds of local time. */
  readonly takenSinceMs?: number
  readonly takenUntilMs?: number
  /** Folders that are never entered: the destination's own. */
  readonly skipFolders: readonly string[]
}
