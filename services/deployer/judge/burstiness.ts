import { lnGamma, lnMeanExp } from '../../platform/statistics/special-functions.ts'

/** Some time of a service's past: its requests, and how many of them were events (errors, slow ones …). */
export interface PastSlot {
  readonly seconds: number
  readonly requests: number
  readonly events: number
}

/** How a rate fluctuates by itself: for a burst of this mean length it is its mean times a gamma variate of mean 1 and this variance. */
export interface Burstiness {
  /** What the true variance exceeds with a chance of one in ten, or as was asked. */
  readonly variance: number
  /** What it is as likely to exceed as not. */
  readonly likelyVariance: number
  readonly burstSeconds: number
  /** What it was read from. */
  readonly events: number
  readonly seconds: number
}

/**
 * What is thought of a service before anything is known of it: most are steady, few are very bursty. Without a past, the answer is the
 * quantile of this: a standard deviation of a third.
 */
const variances = [0, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3]
const priorChances = [0.3, 0.15, 0.15, 0.15, 0.16, 0.05, 0.03, 0.01]
const lengthsInSeconds = [5, 10, 20, 40, 60, 120, 300]
/** Bursts of one service differ in length; taking them for longer makes the judge more cautious. */
const lengthMargin = 1.5
/** A drift over longer than this is the day's course, which both arms share, and no burst. */
const driftSeconds = 900
const maxTicks = 720
const phases = 6

/**
 * Reads from a stable version's past how bursty it is, by the likelihood of its counts when blocks of some length each have a rate of
 * their own (gamma-Poisson, so a block's count is negative binomial), over a grid of variances and lengths. Stable is compared with
 * itself, block against block, so what is found is what two equal versions would differ by. Degenerate: slots with a count that is no
 * number or is negative are passed over; no slots, no requests or no events give the cautious answer of the prior.
 * `certainty`: the chance that the true variance is not above the answer. Example: an hour with 5 errors in every second of 1000 requests gives the variance 0.
 */
export function calibrate(past: readonly PastSlot[], certainty = 0.9): Burstiness {
  const ticks = mergeTicks(past.filter(isSound))
  const seconds = sumOf(ticks, (tick) => tick.seconds)
  const events = sumOf(ticks, (tick) => tick.events)
  const expected = withoutDrift(ticks)
  const lnPosterior = lengthsInSeconds.flatMap((length) => {
    const blocks = blocksOf(ticks, expected, length)
    return variances.map((variance, index) => ({
      variance,
      length,
      ln: Math.log(priorChances[index]!) + lnLikelihood(blocks, variance),
    }))
  })
  const largest = Math.max(...lnPosterior.map(({ ln }) => ln))
  const posterior = lnPosterior.map((cell) => ({ ...cell, chance: Math.exp(cell.ln - largest) }))
  const variance = quantileOf(posterior, certainty)
  const likelyVariance = quantileOf(posterior, 1 / 2)
  return {
    variance,
    likelyVariance,
    burstSeconds: lengthMargin * lengthOf(posterior, variance),
    events,
    seconds,
  }
}

interface Cell {
  readonly variance: number
  readonly length: number
  readonly chance: number
}

function quantileOf(posterior: readonly Cell[], quantile: number): number {
  const total = sumOf(posterior, ({ chance }) => chance)
  let sum = 0
  for (const variance of variances) {
    sum += sumOf(
      posterior.filter((cell) => cell.variance === variance),
      ({ chance }) => chance,
    )
    if (sum >= quantile * total) return variance
  }
  return variances.at(-1)!
}

/** Mean length of the bursts, given that they are about as strong. */
function lengthOf(posterior: readonly Cell[], variance: number): number {
  const alike = posterior.filter((cell) => cell.variance >= variance / 4)
  const total = sumOf(alike, ({ chance }) => chance)
  return total > 0 ? sumOf(alike, ({ chance, length }) => chance * length) / total : lengthsInSeconds[0]!
}

interface Block {
  readonly expected: number
  readonly events: number
}

/** The blocks of that length, from several beginnings, since it is not known when bursts begin. */
function blocksOf(ticks: readonly PastSlot[], expected: Float64Array, length: number): Block[][] {
  return Array.from({ length: phases }, (_, phase) => {
    const blocks: { expected: number; events: number }[] = []
    let [atSeconds, current] = [(length * phase) / phases, -1]
    for (const [index, tick] of ticks.entries()) {
      const block = Math.floor(atSeconds / length)
      if (block !== current) blocks.push({ expected: 0, events: 0 })
      current = block
      const last = blocks.at(-1)!
      last.expected += expected[index]!
      last.events += tick.events
      atSeconds += tick.seconds
    }
    return blocks
  })
}

function lnLikelihood(beginnings: readonly (readonly Block[])[], variance: number): number {
  return lnMeanExp(beginnings.map((blocks) => sumOf(blocks, (block) => lnBlock(block, variance))))
}

/** Of a block's count as a negative binomial variate, without the factors that all variances share. */
function lnBlock({ expected, events }: Block, variance: number): number {
  if (variance === 0) return -expected
  const shape = 1 / variance
  return lnRising(shape, events) + shape * Math.log(shape) - (events + shape) * Math.log(expected + shape)
}

/** Γ(shape + count) / Γ(shape) for each shape of the grid and the first counts: what takes the time when it is computed anew. */
const rising = new Map<number, Float64Array>()
const tabulated = 4096

function lnRising(shape: number, count: number): number {
  if (count >= tabulated || !Number.isInteger(count)) return lnGamma(count + shape) - lnGamma(shape)
  const table = rising.get(shape) ?? tabulate(shape)
  return table[count]!
}

function tabulate(shape: number): Float64Array {
  const table = new Float64Array(tabulated)
  for (let count = 1; count < tabulated; count++)
    table[count] = table[count - 1]! + Math.log(shape + count - 1)
  rising.set(shape, table)
  return table
}

/** Expected events of each tick by the rate of the quarter of an hour that it lies in. */
function withoutDrift(ticks: readonly PastSlot[]): Float64Array {
  const expected = new Float64Array(ticks.length)
  const seconds = sumOf(ticks, (tick) => tick.seconds)
  const windows = Math.max(1, Math.round(seconds / driftSeconds))
  let [from, atSeconds] = [0, 0]
  for (let window = 1; window <= windows; window++) {
    let [to, requests, events] = [from, 0, 0]
    for (; to < ticks.length && (window === windows || atSeconds < (window * seconds) / windows); to++) {
      requests += ticks[to]!.requests
      events += ticks[to]!.events
      atSeconds += ticks[to]!.seconds
    }
    const rate = requests > 0 ? events / requests : 0
    for (let index = from; index < to; index++) expected[index] = rate * ticks[index]!.requests
    from = to
  }
  return expected
}

/** Neighbours together, so that however long the past is, what is computed is bounded. */
function mergeTicks(past: readonly PastSlot[]): PastSlot[] {
  const each = Math.ceil(past.length / maxTicks)
  if (each <= 1) return [...past]
  const merged: PastSlot[] = []
  for (let from = 0; from < past.length; from += each) {
    const part = past.slice(from, from + each)
    merged.push({
      seconds: sumOf(part, (slot) => slot.seconds),
      requests: sumOf(part, (slot) => slot.requests),
      events: sumOf(part, (slot) => slot.events),
    })
  }
  return merged
}

function isSound({ seconds, requests, events }: PastSlot): boolean {
  return [seconds, requests, events].every((value) => Number.isFinite(value) && value >= 0) && seconds > 0
}

function sumOf<T>(items: readonly T[], value: (item: T) => number): number {
  let sum = 0
  for (const item of items) sum += value(item)
  return sum
}
