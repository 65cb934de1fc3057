/** What of a target runs. */
export interface LocalStatus {
  readonly stableCommit: string
  readonly canaryCommit: string
  readonly canaryPercent: number
  readonly isReady: boolean
  /** Why it is not ready and what to do, or what else is worth knowing. */
  readonly remark: string
}
