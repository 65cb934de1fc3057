import { regularisedBeta } from '../../../platform/statistics/binomial.ts'
import { normalQuantile } from '../../../platform/statistics/normal.ts'

/** So many events in so much opportunity: errors of requests, or requests in seconds. */
export interface Count {
  readonly events: number
  readonly exposure: number
}

/** How a count stands to what the counts before it led one to expect. */
export interface CountTail {
  readonly expected: number
  /** Mid-p probability of at least so many events. */
  readonly upper: number
  /** Mid-p probability of at most so many. */
  readonly lower: number
}

/** Jeffreys' prior: half an event is assumed to have been seen. */
const priorEvents = 0.5

/**
 * The exact tails of a Poisson count whose rate is known only from earlier counts: the gamma-Poisson (negative binomial)
 * predictive distribution, mid-p (Lancaster 1961). `dispersion` is the variance as a multiple of Poisson's, at least 1;
 * both counts are deflated by it (quasi-likelihood, McCullagh & Nelder 4.5). 1 and 1 where there is nothing to compare with, or nothing happened at all.
 * Example: 10 errors in 1,000 requests after 10 in 10,000: upper about 1.3e-6.
 */
export function countTail(now: Count, before: Count, dispersion = 1): CountTail {
  if (!usable(now) || !usable(before) || now.events + before.events === 0)
    return { expected: 0, upper: 1, lower: 1 }
  const over = Number.isFinite(dispersion) ? Math.max(1, dispersion) : 1
  const events = now.events / over
  const shape = before.events / over + priorEvents
  const share = now.exposure / (now.exposure + before.exposure)
  const atLeast = negativeBinomialTail(events, shape, share)
  const more = negativeBinomialTail(events + 1 / over, shape, share)
  const upper = (atLeast + more) / 2
  return { expected: (before.events * now.exposure) / before.exposure, upper, lower: 1 - upper }
}

/** P(X >= events): the chance that, of all events of both periods, so many fall into the later one. */
function negativeBinomialTail(events: number, shape: number, share: number): number {
  return events <= 0 ? 1 : regularisedBeta(share, events, shape)
}

function usable({ events, exposure }: Count): boolean {
  return Number.isFinite(events) && events >= 0 && Number.isFinite(exposure) && exposure > 0
}

/** How much more than independent events the counts of a period vary, over blocks of some length. */
export interface Dispersion {
  /** Variance as a multiple of Poisson's, at least 1. */
  readonly ratio: number
  /** Blocks that say so, less one; infinite where the ratio is not in doubt. */
  readonly freedom: number
}

const blockLengths = [1, 2, 4, 8, 16] as const
const leastBlocks = 4
/** Standard deviations above 1 from which a ratio is taken for real: 5 % of the time with independent events. */
const significant = 1.645

/**
 * Pearson's statistic per degree of freedom on blocks of 1, 2, 4, 8 and 16 neighbours, so that bursts longer than a slot count
 * too; those that are significantly above 1 (Wilson and Hilferty's approximation), or else ratio 1.
 */
export function dispersionsOf(counts: readonly Count[]): readonly Dispersion[] {
  const used = counts.filter(usable)
  const real: Dispersion[] = []
  for (const length of blockLengths) {
    const blocks = length === 1 ? used : blocksOf(used, length)
    if (blocks.length < leastBlocks) break
    const ratio = pearsonPerFreedom(blocks)
    const spread = 2 / (9 * (blocks.length - 1))
    if ((Math.cbrt(ratio) - 1 + spread) / Math.sqrt(spread) > significant)
      real.push({ ratio, freedom: blocks.length - 1 })
  }
  return real.length > 0 ? real : [{ ratio: 1, freedom: Number.POSITIVE_INFINITY }]
}

/**
 * The tail of a count after counts that vary more than Poisson's: for each dispersion the deflated tail, read as a normal
 * deviate with Student's tail for a ratio known from few blocks; the most cautious answer.
 */
export function dispersedTail(now: Count, before: Count, dispersions: readonly Dispersion[]): CountTail {
  const tails = dispersions.map(({ ratio, freedom }) => {
    const { expected, upper, lower } = countTail(now, before, ratio)
    return { expected, upper: studentTail(upper, freedom), lower: studentTail(lower, freedom) }
  })
  return tails.reduce((a, b) => ({
    expected: a.expected,
    upper: Math.max(a.upper, b.upper),
    lower: Math.max(a.lower, b.lower),
  }))
}

/** P(T > z) of Student's distribution where `normalTail` is P(Z > z). */
function studentTail(normalTail: number, freedom: number): number {
  if (!Number.isFinite(freedom) || normalTail >= 0.5) return normalTail
  const z = normalQuantile(Math.max(normalTail, Number.MIN_VALUE))
  return regularisedBeta(freedom / (freedom + z * z), freedom / 2, 0.5) / 2
}

function blocksOf(counts: readonly Count[], length: number): Count[] {
  const blocks: Count[] = []
  for (let from = 0; from + length <= counts.length; from += length)
    blocks.push(totalOf(counts.slice(from, from + length)))
  return blocks
}

export function totalOf(counts: readonly Count[]): Count {
  let events = 0
  let exposure = 0
  for (const count of counts) {
    if (!usable(count)) continue
    events += count.events
    exposure += count.exposure
  }
  return { events, exposure }
}

function pearsonPerFreedom(counts: readonly Count[]): number {
  const { events, exposure } = totalOf(counts)
  if (counts.length < 2 || events <= 0) return 1
  let sum = 0
  for (const count of counts) {
    const expected = (events * count.exposure) / exposure
    sum += (count.events - expected) ** 2 / expected
  }
  return sum / (counts.length - 1)
}
