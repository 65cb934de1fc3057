import { regularisedBeta } from '../../../platform/statistics/binomial.ts'

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
 * both counts are deflated by it (quasi-likelihood, McCullagh & Nelder 4.5). 1 and 1 where there is nothing to compare with.
 * Example: 10 errors in 1,000 requests after 10 in 10,000: upper about 5e-6.
 */
export function countTail(now: Count, before: Count, dispersion = 1): CountTail {
  if (!usable(now) || !usable(before)) return { expected: 0, upper: 1, lower: 1 }
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

const blockLengths = [1, 2, 4, 8] as const
const leastBlocks = 8

/**
 * Variance of the counts as a multiple of what independent events would have, at least 1: Pearson's statistic per degree of
 * freedom, on blocks of 1, 2, 4 and 8 neighbours so that bursts longer than a slot count too; the largest of them.
 * 1 with fewer than two usable counts.
 */
export function dispersionOf(counts: readonly Count[]): number {
  const used = counts.filter(usable)
  let largest = 1
  for (const length of blockLengths) {
    const blocks = length === 1 ? used : blocksOf(used, length)
    if (length > 1 && blocks.length < leastBlocks) break
    largest = Math.max(largest, pearsonPerFreedom(blocks))
  }
  return largest
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
