import type { Burstiness } from './burstiness.ts'
import { cautious, likely } from './failures.ts'
import { type Finding, standing, suspicionLog10 } from './finding.ts'
import {
  addLatencies,
  countOf,
  type Latencies,
  quantileBoundIndex,
  quantileInterval,
  quantileMs,
  slowerThan,
} from './quantile.ts'
import {
  betOnNotWorse,
  betOnWorse,
  lnEvidence,
  observeRatio,
  type RatioProcess,
  recalibrateRatio,
} from './ratio-process.ts'

/** Slow requests come in bursts (a collection, a queue), so a slot gives at most this part of what a verdict needs. */
const slotShare = 1 / 3
/** Two processes of one version on one machine never have quite the same tail; so much more of it is no evidence. */
const worseRatio = 1.05
/** A bound that exceeds the tolerated one by so little is taken for it: two steps of twelve percent are a quarter. */
const boundSlack = 1.005
/** At least this variance is assumed: a process has collections of its own, at times of its own. */
const leastVariance = 0.003

export interface SlownessOptions {
  readonly name: 'latency-p50' | 'latency-p95' | 'latency-p99'
  /** The quantile. */
  readonly p: 0.5 | 0.95 | 0.99
  /** How many times stable's rate of slow requests is still called equal when it is to be shown that the canary is not slower. */
  readonly margin: number
  /** How much slower is tolerated: 0.25 is a quarter. */
  readonly tolerance: number
  readonly alpha: number
  readonly beta: number
  /** How stable's rate of slow requests fluctuates by itself. */
  readonly burstiness: Burstiness
}

/**
 * Whether the canary's requests are slower than stable's at a quantile. A request is slow when it takes longer than stable's
 * quantile, as all slots before this one measured it (so the bound is fixed before the slot's requests are counted, and the bets
 * stay fair); the canary is given the tolerance on top. Slow requests are then counted as failures are, in the same e-process.
 *
 * Comparing the two arms slot by slot, rather than the two whole histograms as reference intelligence.md 4.4 does, keeps the test
 * valid when both arms get slower at once and while the weight changes. That "not slower" may also be shown by the intervals of 4.4:
 * the canary's quantile is at most (1 + tolerance) times stable's, or both lie in the same bucket.
 */
export interface Slowness {
  readonly options: SlownessOptions
  readonly worse: RatioProcess
  readonly notWorse: RatioProcess
  /** Stable over all slots: what the bound is taken from. */
  readonly reference: Latencies
  /** Both arms since the weight last changed. */
  readonly stable: Latencies
  readonly canary: Latencies
}

/** The past before the rollout is no reference: a p99 from a time when the service was slower would have nothing slow today. */
export function beginSlowness(options: SlownessOptions, bounds: readonly number[]): Slowness {
  const none = noLatencies(bounds)
  const { alpha, beta, burstiness } = options
  return {
    options,
    worse: betOnWorse(worseRatio, slotShare * -Math.log(alpha), cautious(burstiness, leastVariance)),
    notWorse: betOnNotWorse(options.margin, slotShare * -Math.log(beta), likely(burstiness)),
    reference: none,
    stable: none,
    canary: none,
  }
}

/** At a new weight the two arms' histograms begin anew, so that both are of the same time. The processes go on. */
export function beginSlownessStep(slowness: Slowness): Slowness {
  const none = noLatencies(slowness.reference.bounds)
  return { ...slowness, stable: none, canary: none }
}

/** With what is known of stable's burstiness by now. */
export function recalibrateSlowness(slowness: Slowness, burstiness: Burstiness): Slowness {
  return {
    ...slowness,
    options: { ...slowness.options, burstiness },
    worse: recalibrateRatio(slowness.worse, cautious(burstiness, leastVariance)),
    notWorse: recalibrateRatio(slowness.notWorse, likely(burstiness)),
  }
}

/** Takes a slot of stable into the reference only: before the canary has traffic, and while it warms up. */
export function observeReference(slowness: Slowness, stable: Latencies): Slowness {
  return { ...slowness, reference: addLatencies(slowness.reference, stable) }
}

export function observeSlowness(
  slowness: Slowness,
  stable: Latencies,
  canary: Latencies,
  seconds = 1,
): Slowness {
  const slot = slowSlots(slowness, stable, canary)
  return {
    ...slowness,
    worse: slot ? observeRatio(slowness.worse, { ...slot.strict, seconds }) : slowness.worse,
    notWorse: slot ? observeRatio(slowness.notWorse, { ...slot.tolerant, seconds }) : slowness.notWorse,
    reference: addLatencies(slowness.reference, stable),
    stable: addLatencies(slowness.stable, stable),
    canary: addLatencies(slowness.canary, canary),
  }
}

/** The slot's slow requests. `strict` rounds the canary's bound up, so that what is called worse is; `tolerant` rounds it down. */
function slowSlots({ options, reference }: Slowness, stable: Latencies, canary: Latencies) {
  const index = countOf(reference) === 0 ? undefined : quantileBoundIndex(reference, options.p)
  if (index === undefined) return undefined
  const { bounds } = reference
  const tolerated = bounds[index]! * (1 + options.tolerance)
  const above = bounds.findIndex((bound) => bound >= tolerated)
  const below = bounds.findLastIndex((bound) => bound <= tolerated * boundSlack)
  const arms = {
    stableRequests: countOf(stable),
    canaryRequests: countOf(canary),
    stableEvents: slowerThan(stable, index),
  }
  return {
    strict: { ...arms, canaryEvents: slowerThan(canary, above === -1 ? bounds.length : above) },
    tolerant: { ...arms, canaryEvents: slowerThan(canary, below) },
  }
}

/** How the question stands after the slots so far. */
export function judgeSlowness(slowness: Slowness): Finding {
  const { options, stable, canary } = slowness
  const log10Worse = lnEvidence(slowness.worse) / Math.LN10
  const abortAt = -Math.log10(options.alpha)
  const isMirrored = lnEvidence(slowness.notWorse) >= -Math.log(options.beta)
  const verdict = {
    log10Worse,
    abortAt,
    isShownWorse: log10Worse >= abortAt,
    isShownNotWorse: (isMirrored || isWithin(slowness)) && log10Worse < suspicionLog10,
  }
  const [stableValue, canaryValue] = [quantileMs(stable, options.p), quantileMs(canary, options.p)]
  const quantile = `p${100 * options.p}`
  const shown =
    canaryValue < stableValue ? 'shown not to be slower' : `shown not to be slower beyond the tolerance`
  return {
    name: options.name,
    stableCount: countOf(stable),
    canaryCount: countOf(canary),
    stableValue,
    canaryValue,
    ...verdict,
    remark:
      countOf(canary) === 0
        ? `${quantile}: no request is judged yet; the canary warms up first`
        : `${quantile} canary ${milliseconds(canaryValue)}, stable ${milliseconds(stableValue)}: ${standing(verdict, shown)}`,
    slices: [],
  }
}

/** The intervals of reference 4.4, each arm at half of beta. */
function isWithin({ options, stable, canary }: Slowness): boolean {
  const ours = quantileInterval(canary, options.p, options.beta / 2)
  if (ours.upperMs === Infinity) return false
  const theirs = quantileInterval(stable, options.p, options.beta / 2)
  const isSameBucket = ours.upperMs === stable.bounds.find((bound) => bound > theirs.lowerMs)
  return isSameBucket || ours.upperMs <= (1 + options.tolerance) * theirs.lowerMs
}

function noLatencies(bounds: readonly number[]): Latencies {
  return { bounds, counts: Array<number>(bounds.length + 1).fill(0) }
}

function milliseconds(value: number): string {
  return `${value >= 100 ? Math.round(value) : Number(value.toPrecision(2))} ms`
}
