import type { Clock } from '../platform/clock.ts'
import type { PastArm } from './judge/calibration.ts'
import { type ArmCounts, addCounts, armCounts, noCounts, subtractCounts } from './judge/slot.ts'
import { judgeBoundsMs } from './splitter/bounds.ts'
import type { SplitterCounts } from './splitter/control.ts'

const readMs = 1_000
/** So much is put together: bursts that are shorter than this are not told apart. */
const slotSeconds = 5
/** An hour. */
const maxSlots = 720
/** A fresh process compiles its code: what it does so early is not how it fluctuates. */
const warmUpSeconds = 5
/** A gap between readings that is longer than this is time that nobody saw. */
const maxGapSeconds = 10

interface Version {
  last: ArmCounts
  /** Since its first request. */
  seenSeconds: number
  slot: { seconds: number; arm: ArmCounts }
  readonly past: PastArm[]
}

/** What each version answered in its past, read from the splitter second by second: what the judge is calibrated on. */
export class History {
  readonly #versions = new Map<string, Version>()
  #lastMs: number | undefined

  /** Reads once a second until the signal; a reading that fails is passed over. */
  async follow(read: () => Promise<SplitterCounts>, clock: Clock, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const counts = await read().catch(() => undefined)
      if (counts) this.record(counts, clock.monotonicMs())
      await clock.sleep(readMs, signal).catch(() => undefined)
    }
  }

  /** Takes in a reading; versions that are not in it any more are forgotten. */
  record(counts: SplitterCounts, monotonicMs: number): void {
    const seconds = this.#lastMs === undefined ? 0 : (monotonicMs - this.#lastMs) / 1000
    this.#lastMs = monotonicMs
    for (const name of this.#versions.keys()) if (!counts[name]) this.#versions.delete(name)
    for (const [name, { requestsByStatus, latencyCounts }] of Object.entries(counts)) {
      const now = armCounts(requestsByStatus, latencyCounts)
      const version = this.#versions.get(name)
      if (version) take(version, now, seconds)
      else this.#versions.set(name, { last: now, seenSeconds: 0, slot: emptySlot(), past: [] })
    }
  }

  /** The past of a version, oldest first, in slots of some seconds; empty for one that is not known. */
  of(version: string): readonly PastArm[] {
    return this.#versions.get(version)?.past ?? []
  }
}

function take(version: Version, now: ArmCounts, seconds: number): void {
  // A splitter that was started again counts from zero.
  const isFresh = now.requests < version.last.requests
  const arm = isFresh ? now : subtractCounts(now, version.last)
  version.last = now
  const isUnseen = isFresh || seconds <= 0 || seconds > maxGapSeconds
  if (isUnseen || (version.seenSeconds === 0 && arm.requests === 0)) return
  version.seenSeconds += seconds
  if (version.seenSeconds <= warmUpSeconds) return
  const { slot, past } = version
  version.slot = { seconds: slot.seconds + seconds, arm: addCounts(slot.arm, arm) }
  if (version.slot.seconds < slotSeconds) return
  past.push(version.slot)
  if (past.length > maxSlots) past.shift()
  version.slot = emptySlot()
}

function emptySlot() {
  return { seconds: 0, arm: noCounts(judgeBoundsMs.length + 1) }
}
