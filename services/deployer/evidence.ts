import { type ArmCounts, addCounts, armCounts, noCounts, type Slot, subtractCounts } from './judge/slot.ts'
import { judgeBoundsMs } from './splitter/bounds.ts'
import type { SplitterCounts, VersionCounts } from './splitter/control.ts'

const none = noCounts(judgeBoundsMs.length + 1)

/** The splitter's counts, which grow from its start, turned into slots: what came between one reading and the next. */
export class Evidence {
  readonly #versions: { readonly stable: string; readonly canary: string }
  #last: { stable: ArmCounts; canary: ArmCounts }

  /** `counts`: the reading from which the first slot is counted. */
  constructor(versions: { stable: string; canary: string }, counts: SplitterCounts) {
    this.#versions = versions
    this.#last = this.#armsOf(counts)
  }

  /** The slot up to this reading. */
  slotUntil(counts: SplitterCounts): Slot {
    const arms = this.#armsOf(counts)
    const slot = {
      stable: since(arms.stable, this.#last.stable),
      canary: since(arms.canary, this.#last.canary),
    }
    this.#last = arms
    return slot
  }

  #armsOf(counts: SplitterCounts): { stable: ArmCounts; canary: ArmCounts } {
    const arm = (version: string) => armOf(counts[version])
    return { stable: arm(this.#versions.stable), canary: arm(this.#versions.canary) }
  }
}

function armOf(counts: VersionCounts | undefined): ArmCounts {
  return counts ? armCounts(counts.requestsByStatus, counts.latencyCounts, counts.methods) : none
}

/** A splitter that was started again counts from zero: then all that it has is new. */
function since(now: ArmCounts, before: ArmCounts): ArmCounts {
  return now.requests >= before.requests ? subtractCounts(now, before) : addCounts(now, none)
}
