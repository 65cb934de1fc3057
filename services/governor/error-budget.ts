import type { GoldenSlot } from '../platform/signals/golden.ts'
import {
  type BurnRateReading,
  burnRateOf,
  type CountSlot,
  readBurnRate,
  sumOfNewest,
  type WindowPair,
  windowPairs,
} from './burn-rates.ts'
import type { Objective } from './openslo.ts'

/** How much of an error budget is left, from the telemetry that there is. */
export interface BudgetReading {
  readonly requests: number
  readonly badRequests: number
  /** Share of good requests; 1 without requests. */
  readonly attained: number
  /** 1 untouched, 0 spent, negative overspent; judged by the requests that were seen. */
  readonly remaining: number
  readonly burnRates: readonly BurnRateReading[]
  readonly burning: boolean
  /** Seconds of the window that telemetry covers. */
  readonly coveredS: number
}

/** Raw samples are read for each question, so it cannot reach back for a month. What lies further back is not covered. */
export const maxLookbackS = 6 * 3_600

/** How an SLO's window is cut: fine enough for its shortest pair, no finer than the telemetry. */
export interface Cut {
  readonly slotS: number
  readonly slotCount: number
  readonly pairs: readonly WindowPair[]
}

const slotsInShortestWindow = 5
const maxSlotCount = 5_000

/** `resolutionS` is the shortest time in which telemetry surely has a sample. */
export function cutOf(windowS: number, resolutionS: number): Cut {
  const reachS = Math.min(windowS, maxLookbackS)
  const finestS = Math.max(resolutionS, reachS / maxSlotCount)
  const pairs = windowPairs(windowS, finestS)
  const shortestS = Math.min(...pairs.map(({ shortS }) => shortS))
  const slotS = Math.ceil(Math.max(finestS, shortestS / slotsInShortestWindow))
  return { slotS, slotCount: Math.max(1, Math.floor(reachS / slotS)), pairs }
}

/** Computes an SLO's budget from the golden signals of its service, cut as `cut` says, oldest slot first. Pure. */
export function readBudget(objective: Objective, slots: readonly GoldenSlot[], cut: Cut): BudgetReading {
  const counts = slots.map((slot) => countOf(objective, slot))
  const whole = sumOfNewest(counts, counts.length)
  const { slotS, pairs } = cut
  const burnRates = pairs.map((pair) => readBurnRate(pair, counts, { slotS, target: objective.target }))
  return {
    requests: whole.requests,
    badRequests: whole.bad,
    attained: whole.requests > 0 ? 1 - whole.bad / whole.requests : 1,
    remaining: 1 - burnRateOf(whole, objective.target),
    burnRates,
    burning: burnRates.some(({ burning }) => burning),
    coveredS: counts.filter(({ covered }) => covered).length * slotS,
  }
}

function countOf({ indicator }: Objective, slot: GoldenSlot): CountSlot {
  const nothing = { covered: false, requests: 0, bad: 0 }
  if (!slot.covered) return nothing
  if (indicator.kind === 'availability') {
    const good = indicator.goodStatuses.reduce((sum, status) => sum + (slot.requestsByStatus[status] ?? 0), 0)
    return { covered: true, requests: slot.requests, bad: Math.max(0, slot.requests - good) }
  }
  const { upperBoundsMs, counts } = slot.latency
  const requests = counts.reduce((sum, count) => sum + count, 0)
  const bucket = upperBoundsMs.indexOf(indicator.thresholdMs)
  // Without that very bucket the share of fast requests is not known, which is not the same as good.
  if (bucket < 0) return requests > 0 ? nothing : { covered: true, requests: 0, bad: 0 }
  const good = counts.slice(0, bucket + 1).reduce((sum, count) => sum + count, 0)
  return { covered: true, requests, bad: Math.max(0, requests - good) }
}
