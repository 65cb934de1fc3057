import { normalCdf } from '../../../platform/statistics/normal.ts'
import { ascending, medianOf } from '../../../platform/statistics/order.ts'
import { lnGamma } from '../../../platform/statistics/special-functions.ts'
import { type Count, dispersedTail, dispersionsOf, totalOf } from './counts.ts'

/** Which way a metric must go to be told: more errors, fewer requests, or either. */
export type Direction = 'up' | 'down' | 'both'

/** How a recent period stands to the one before it. */
export interface Judgement {
  /** Probability of so large a difference if nothing had changed; 1 where nothing can be told. */
  readonly pValue: number
  /** -log10 of it. */
  readonly score: number
  /** The recent value: events per exposure, or the median. */
  readonly value: number
  /** The same of the baseline. NaN without one. */
  readonly reference: number
}

export const scoreOf = (pValue: number): number => -Math.log10(Math.max(pValue, Number.MIN_VALUE)) + 0

/**
 * Judges counts (errors of requests, requests in seconds) against those of a baseline: the gamma-Poisson tail with the
 * dispersion of the baseline's slots. Slots that are not finite, negative or without exposure take no part; nothing on
 * either side gives pValue 1.
 * Example: 2 errors in each of 20 slots of 100 requests, then 10 in one such slot: pValue about 6e-5.
 */
export function judgeCounts(
  baseline: readonly Count[],
  recent: readonly Count[],
  direction: Direction = 'both',
): Judgement {
  const now = totalOf(recent)
  const before = totalOf(baseline)
  const { upper, lower } = dispersedTail(now, before, dispersionsOf(baseline))
  return judgement(oneOrTwoSided(upper, lower, direction), rateOf(now), rateOf(before))
}

function rateOf({ events, exposure }: Count): number {
  return exposure > 0 ? events / exposure : Number.NaN
}

/** Shorter baselines say nothing about how levels vary. */
const leastBaseline = 8

/**
 * Judges values of any kind (a latency per slot, a queue's length) against those of a baseline by rank: Mann and Whitney's
 * test with ties, both samples shortened by the baseline's autocorrelation, never below what so few ranks can show at all.
 * Values that are not finite take no part; fewer than 8 in the baseline or none recent give pValue 1.
 * Example: 5, 1, 4, 2, 3 four times over, then 30, 31 and 32: pValue about 0.006.
 */
export function judgeLevels(
  baseline: readonly number[],
  recent: readonly number[],
  direction: Direction = 'both',
): Judgement {
  const before = baseline.filter(Number.isFinite)
  const now = recent.filter(Number.isFinite)
  const value = medianOf(now)
  const reference = medianOf(before)
  if (before.length < leastBaseline || now.length === 0) return judgement(1, value, reference)
  const { upper, lower } = rankTails(before, now)
  return judgement(oneOrTwoSided(upper, lower, direction), value, reference)
}

function judgement(pValue: number, value: number, reference: number): Judgement {
  return { pValue, score: scoreOf(pValue), value, reference }
}

function oneOrTwoSided(upper: number, lower: number, direction: Direction): number {
  if (direction === 'up') return upper
  if (direction === 'down') return lower
  return Math.min(1, 2 * Math.min(upper, lower))
}

function rankTails(before: readonly number[], now: readonly number[]): { upper: number; lower: number } {
  const { wins, tieLoss } = compare(before, now)
  const kept = shareKept(before)
  const m = Math.max(1, now.length * kept)
  const n = Math.max(1, before.length * kept)
  const pairs = now.length * before.length
  const variance = ((m * n * (m + n + 1)) / 12) * (1 - tieLoss)
  if (!(variance > 0)) return { upper: 1, lower: 1 }
  const excess = (wins / pairs - 0.5) * m * n
  const deviations = (Math.max(0, Math.abs(excess) - 0.5) / Math.sqrt(variance)) * Math.sign(excess)
  const least = 1 / choices(m + n, m)
  const upper = Math.min(1, Math.max(least, normalCdf(-deviations)))
  const lower = Math.min(1, Math.max(least, normalCdf(deviations)))
  return { upper, lower }
}

/** For each pair 1 where the recent one is larger, 1/2 where they are equal; and the share of variance that ties take. */
function compare(before: readonly number[], now: readonly number[]): { wins: number; tieLoss: number } {
  const all = ascending([...before, ...now])
  const isNow = new Map<number, number>()
  for (const value of now) isNow.set(value, (isNow.get(value) ?? 0) + 1)
  let wins = 0
  let tied = 0
  let beforeSeen = 0
  for (let from = 0; from < all.length; ) {
    let to = from
    while (to < all.length && all[to] === all[from]) to++
    const size = to - from
    const recentHere = isNow.get(all[from] as number) ?? 0
    wins += recentHere * (beforeSeen + (size - recentHere) / 2)
    beforeSeen += size - recentHere
    tied += size ** 3 - size
    from = to
  }
  return { wins, tieLoss: tied / (all.length ** 3 - all.length) }
}

/** Effective over nominal sample size of a series in which neighbours resemble each other: (1 - r) / (1 + r), r of lag 1, not negative. */
function shareKept(values: readonly number[]): number {
  const ranks = ranksOf(values)
  const middle = (values.length + 1) / 2
  let products = 0
  let squares = 0
  ranks.forEach((rank, index) => {
    squares += (rank - middle) ** 2
    if (index > 0) products += (rank - middle) * ((ranks[index - 1] as number) - middle)
  })
  const r = squares > 0 ? Math.min(0.95, Math.max(0, products / squares)) : 0
  return (1 - r) / (1 + r)
}

/** Mean ranks from 1 on. */
function ranksOf(values: readonly number[]): number[] {
  const sorted = ascending(values)
  const places = new Map<number, number>()
  for (let from = 0; from < sorted.length; ) {
    let to = from
    while (to < sorted.length && sorted[to] === sorted[from]) to++
    places.set(sorted[from] as number, (from + 1 + to) / 2)
    from = to
  }
  return values.map((value) => places.get(value) as number)
}

/** n over k, for sizes that need not be whole. */
function choices(n: number, k: number): number {
  return Math.exp(lnGamma(n + 1) - lnGamma(k + 1) - lnGamma(n - k + 1))
}
