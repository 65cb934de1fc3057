import {
  type Execution,
  type RunOptions,
  refusedVerdict,
  type Tier,
  type TierCapability,
  type Verdict,
} from './execution.ts'

/** One way to run programs, open for use; a runner that could not be opened is only a capability. */
export interface Runner {
  readonly capability: TierCapability
  /** The tier that it counts as when a request names the least one; an engine with known escapes counts as less. */
  readonly countsAs: Tier
  /** Why it cannot run this program although it is available; empty when it can. */
  declines(execution: Execution): string
  run(execution: Execution, slot: number, options: RunOptions): Promise<Verdict>
  close(): Promise<void>
}

/** A runner for a tier that is not available. */
export function closedRunner(capability: TierCapability): Runner {
  return {
    capability,
    countsAs: capability.tier,
    declines: () => capability.remark,
    run: async () => refusedVerdict(capability.tier, capability.remark),
    close: async () => undefined,
  }
}
