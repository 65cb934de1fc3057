import { quantileMs } from './judge/quantile.ts'
import { type ArmCounts, addCounts } from './judge/slot.ts'
import { judgeBoundsMs } from './splitter/bounds.ts'

/** Most slots that are told of one deployment. */
export const maxComparedSlots = 120

/** What one version answered in a slot; latencies as the histogram tells them, 0 without requests. */
export interface ArmSummary {
  readonly requests: number
  readonly errors: number
  readonly refusals: number
  readonly meanMs: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
}

/** Both versions under the same traffic for some seconds. `startSeconds` counts from the canary's first traffic. */
export interface ComparedSlot {
  readonly startSeconds: number
  readonly seconds: number
  /** In percent. */
  readonly weight: number
  readonly stable: ArmSummary
  readonly canary: ArmSummary
}

interface Kept {
  readonly startSeconds: number
  readonly seconds: number
  readonly weight: number
  readonly stable: ArmCounts
  readonly canary: ArmCounts
}

/** Keeps both versions' slots of a rollout; when they become too many, neighbours of one weight become one. */
export class Comparison {
  #slots: Kept[] = []

  add(slot: Kept): void {
    this.#slots.push(slot)
    if (this.#slots.length > maxComparedSlots) this.#slots = inPairs(this.#slots)
  }

  /** Oldest first. */
  slots(): ComparedSlot[] {
    return this.#slots.map(({ stable, canary, ...rest }) => ({
      ...rest,
      stable: summaryOf(stable),
      canary: summaryOf(canary),
    }))
  }
}

/** Neighbours two by two. A rollout has twenty steps at most, so nearly half remain; should that not do, the oldest go. */
function inPairs(slots: readonly Kept[]): Kept[] {
  const merged: Kept[] = []
  for (let index = 0; index < slots.length; index++) {
    const [first, second] = [slots[index]!, slots[index + 1]]
    if (!second || second.weight !== first.weight) {
      merged.push(first)
      continue
    }
    merged.push(together(first, second))
    index++
  }
  return merged.length <= maxComparedSlots ? merged : merged.slice(-maxComparedSlots)
}

function together(first: Kept, second: Kept): Kept {
  return {
    startSeconds: first.startSeconds,
    seconds: second.startSeconds + second.seconds - first.startSeconds,
    weight: first.weight,
    stable: addCounts(first.stable, second.stable),
    canary: addCounts(first.canary, second.canary),
  }
}

function summaryOf({ requests, errors, refusals, latencyCounts }: ArmCounts): ArmSummary {
  const latencies = { bounds: judgeBoundsMs, counts: latencyCounts }
  return {
    requests,
    errors,
    refusals,
    meanMs: meanMs(latencyCounts),
    p50Ms: quantileMs(latencies, 0.5),
    p95Ms: quantileMs(latencies, 0.95),
    p99Ms: quantileMs(latencies, 0.99),
  }
}

/** As if each request lay in the middle of its bucket. */
function meanMs(counts: readonly number[]): number {
  let [sum, requests] = [0, 0]
  for (const [index, count] of counts.entries()) {
    const above = judgeBoundsMs[index - 1] ?? 0
    sum += count * ((above + (judgeBoundsMs[index] ?? above)) / 2)
    requests += count
  }
  return requests === 0 ? 0 : sum / requests
}
