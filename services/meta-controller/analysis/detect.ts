import type { Histogram } from '../../platform/signals/histogram.ts'
import { binomialUpperTail } from '../../platform/statistics/binomial.ts'
import { slowerThan } from './histogram.ts'

/** What is promised for a share of requests: that they end well, or that they take at most `thresholdMs`. */
export interface Pledge {
  readonly slo: string
  /** Share of good requests that is promised, such as 0.95. */
  readonly objective: number
  /** Absent for availability. */
  readonly thresholdMs?: number
}

/** Requests of one slot of time. */
export interface Slot {
  readonly requests: number
  readonly errors: number
  readonly latency: Histogram
}

/** How far the requests of a period keep a promise. */
export interface Violation {
  readonly requests: number
  readonly bad: number
  /** Share of bad requests, 0 without requests. */
  readonly badShare: number
  /** Variance of the bad requests over slots, as a multiple of what independent requests would have; at least 1. */
  readonly dispersion: number
  /** Probability of at least so many bad requests if the promise were just kept. 1 without requests. */
  readonly pValue: number
  readonly violated: boolean
}

/** Chance of calling a kept promise broken, for each look at one objective. */
export const falseAlarmProbability = 0.001
/** Below this the answer is "not enough evidence", whatever the p-value. */
export const leastRequests = 100

/**
 * Tests whether requests break a promise: the binomial tail of the bad ones, with the sample deflated by the dispersion
 * between slots (quasi-likelihood, McCullagh & Nelder 4.5), since requests of one second fail and slow down together.
 * Empty input gives pValue 1 and violated false.
 * Example: 1,000 requests in ten equal slots, 200 of them slow where 5 % may be: pValue below 1e-60, violated.
 */
export function detectViolation(slots: readonly Slot[], pledge: Pledge): Violation {
  const counted = slots.map((slot) => ({ requests: slot.requests, bad: badOf(slot, pledge) }))
  const requests = sum(counted.map((slot) => slot.requests))
  const bad = sum(counted.map((slot) => slot.bad))
  const badShare = requests === 0 ? 0 : bad / requests
  const dispersion = dispersionOf(counted, badShare)
  const pValue = binomialUpperTail(bad / dispersion, requests / dispersion, 1 - pledge.objective)
  const violated =
    requests >= leastRequests && badShare > 1 - pledge.objective && pValue < falseAlarmProbability
  return { requests, bad, badShare, dispersion, pValue, violated }
}

function badOf(slot: Slot, pledge: Pledge): number {
  const bad = pledge.thresholdMs === undefined ? slot.errors : slowerThan(slot.latency, pledge.thresholdMs)
  return Math.min(slot.requests, Math.max(0, bad))
}

function dispersionOf(slots: readonly { requests: number; bad: number }[], share: number): number {
  const used = slots.filter((slot) => slot.requests > 0)
  if (used.length < 2 || share <= 0 || share >= 1) return 1
  const chiSquare = sum(
    used.map(({ requests, bad }) => (bad - share * requests) ** 2 / (requests * share * (1 - share))),
  )
  return Math.max(1, chiSquare / (used.length - 1))
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
