/** From the deployer to the guardian. */
export type GuardianRequest =
  | {
      readonly kind: 'start'
      readonly id: number
      readonly argv: readonly string[]
      readonly folder: string
      /** All of it: nothing of NEXUS's own environment is added. */
      readonly environment: Readonly<Record<string, string>>
      readonly outputFile: string
    }
  | { readonly kind: 'stop'; readonly id: number; readonly graceMs: number }

/** From the guardian to the deployer. `exited` comes for every start, also for one that failed. */
export type GuardianReport =
  | { readonly kind: 'started'; readonly id: number; readonly pid: number }
  | {
      readonly kind: 'exited'
      readonly id: number
      readonly code: number | null
      readonly signal: string | null
      readonly outputTail: string
    }
