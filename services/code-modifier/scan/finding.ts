/** A file of a change. `before` is null for a new file. */
export interface ScannedFile {
  /** From the repository's root, with `/`. */
  readonly path: string
  readonly before: string | null
  readonly after: string
}

export type FindingSeverity = 'note' | 'blocking'

/** Something that the changed text has and the base does not have. */
export interface Finding {
  /** Such as `secret/github-token` or `code/child-process`. */
  readonly rule: string
  readonly severity: FindingSeverity
  readonly path: string
  /** From 1. */
  readonly line: number
  /** What it is and what to do. Never holds the secret itself. */
  readonly message: string
}

export const maxScannedFiles = 64
export const maxScannedLength = 1024 * 1024
export const maxFindings = 200
