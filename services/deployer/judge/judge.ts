import { type Calibration, calibrateJudge } from './calibration.ts'
import {
  beginFailures,
  type Failures,
  judgeFailures,
  lnFailureEvidence,
  observeFailures,
  recalibrateFailures,
  sumStake,
} from './failures.ts'
import type { Finding, QuestionName } from './finding.ts'
import { lnEvidence } from './ratio-process.ts'
import type { Slot } from './slot.ts'
import {
  beginSlowness,
  beginSlownessStep,
  judgeSlowness,
  observeReference,
  observeSlowness,
  recalibrateSlowness,
  type Slowness,
} from './slowness.ts'
import type { Recorded } from './watch.ts'

export interface JudgeOptions {
  /** Probability of a wrong "worse" that is accepted over the whole rollout, all questions together. */
  readonly alpha: number
  /** Share of errors that a canary may have whatever stable has: what the availability SLO allows. */
  readonly allowedErrorShare: number
  /** How much slower the canary may be: 0.25 is a quarter. */
  readonly latencyTolerance: number
  /** Upper bounds of the latency counts in milliseconds, rising. */
  readonly boundsMs: readonly number[]
  /** What stable's past tells; without it, cautious values are assumed. */
  readonly calibration?: Calibration
}

export type JudgeVerdict = 'worse' | 'not worse' | 'not enough evidence'

export interface Judgement {
  readonly verdict: JudgeVerdict
  /** One for each question, errors first. */
  readonly findings: readonly Finding[]
}

/** Probability of a wrong "not worse" that is accepted. All questions must be answered so, which needs no division among them. */
export const beta = 0.05
/**
 * What each question gets of the stakes; together 1. Errors get most, since they are what hurts first. The verdict "worse" falls when
 * the average of the e-values, weighed so, reaches 1/alpha: that holds whatever the questions have to do with one another.
 */
export const stakes: Readonly<Record<QuestionName, number>> = {
  errors: 0.8,
  refusals: 0.04,
  'latency-p50': 0.04,
  'latency-p95': 0.06,
  'latency-p99': 0.06,
}
/** Slow requests at p99 are few: at the margin of p95 most rollouts would end for want of evidence. */
const quantiles = [
  { name: 'latency-p50', p: 0.5, margin: 1.5 },
  { name: 'latency-p95', p: 0.95, margin: 2 },
  { name: 'latency-p99', p: 0.99, margin: 3 },
] as const
/** A promotion waits for these. The others only ever speak against a canary: refusals are too few, and the median moves least of all. */
const needed: ReadonlySet<QuestionName> = new Set(['errors', 'latency-p95', 'latency-p99'])

/** Whether a promotion waits for the answer to this question. */
export function isNeeded(name: QuestionName): boolean {
  return needed.has(name)
}

/**
 * Judges a canary against stable under the same traffic, second by second, and may be asked at every moment without losing its
 * error rate. Plain data: each slot gives the next judge. Errors are judged apart from latency and first, so that a deadline that
 * fails fast does not pass for an improvement.
 * A verdict: worse, when the evidence of all questions together shows it; not worse, when errors and both upper quantiles show it;
 * else not enough evidence. Degenerate input: a slot without requests on one arm, or with a count that is not finite or is negative,
 * says nothing; slots are taken in the order in which they come.
 */
export interface Judge {
  readonly alpha: number
  readonly errors: Failures
  readonly refusals: Failures
  readonly slowness: readonly Slowness[]
}

export function beginJudge(options: JudgeOptions): Judge {
  const { alpha, boundsMs } = options
  const { burstiness } = options.calibration ?? calibrateJudge([], boundsMs)
  const failures = (name: 'errors' | 'refusals') =>
    beginFailures({
      name,
      alpha: alpha * stakes[name],
      beta,
      allowedShare: options.allowedErrorShare,
      burstiness: burstiness[name],
    })
  const slowness = quantiles.map((quantile) => {
    const { name } = quantile
    const tolerance = options.latencyTolerance
    const own = { ...quantile, tolerance, alpha: alpha * stakes[name], beta, burstiness: burstiness[name] }
    return beginSlowness(own, boundsMs)
  })
  return { alpha, errors: failures('errors'), refusals: failures('refusals'), slowness }
}

/** The judge with what is known of stable's burstiness by now: where the past was short, the rollout's own time tells more. */
export function recalibrate(judge: Judge, { burstiness }: Calibration): Judge {
  return {
    ...judge,
    errors: recalibrateFailures(judge.errors, burstiness.errors),
    refusals: recalibrateFailures(judge.refusals, burstiness.refusals),
    slowness: judge.slowness.map((one) => recalibrateSlowness(one, burstiness[one.options.name])),
  }
}

/** The judge at a new weight. */
export function beginStep(judge: Judge): Judge {
  return { ...judge, slowness: judge.slowness.map(beginSlownessStep) }
}

/** The judge after one more slot. `isWarm` is false while the canary warms up: then its latency says nothing about its code. */
export function observe(judge: Judge, slot: Slot, isWarm: boolean): Judge {
  if (!isSound(slot)) return judge
  const { stable, canary, seconds = 1 } = slot
  return {
    ...judge,
    errors: observeFailures(judge.errors, slot),
    refusals: observeFailures(judge.refusals, slot),
    slowness: judge.slowness.map((question) => {
      const { bounds } = question.reference
      const stableLatencies = { bounds, counts: stable.latencyCounts }
      if (!isWarm) return observeReference(question, stableLatencies)
      return observeSlowness(question, stableLatencies, { bounds, counts: canary.latencyCounts }, seconds)
    }),
  }
}

function isSound({ stable, canary, seconds = 1 }: Slot): boolean {
  const arms = [stable, canary].flatMap((arm) => [
    arm.requests,
    arm.errors,
    arm.refusals,
    ...arm.latencyCounts,
  ])
  return [seconds, ...arms].every((count) => Number.isFinite(count) && count >= 0)
}

/** What the judge says after the slots so far. */
export function decide(judge: Judge): Judgement {
  const { errors, refusals, slowness } = judge
  const findings = [judgeFailures(errors), ...slowness.map(judgeSlowness), judgeFailures(refusals)]
  return { verdict: verdictOf(findings, judge), findings }
}

function verdictOf(findings: readonly Finding[], judge: Judge): JudgeVerdict {
  if (isShownWorse(judge)) return 'worse'
  const isShown = findings.every(({ name, isShownNotWorse }) => !needed.has(name) || isShownNotWorse)
  return isShown ? 'not worse' : 'not enough evidence'
}

/** What stable did beside the canary: errors since the beginning, latencies since the weight last changed. */
export function stableSoFar({ errors, slowness }: Judge): Recorded {
  const { stableRequests, stableEvents } = errors.sum
  return { requests: stableRequests, errors: stableEvents, latencies: slowness[0]!.stable }
}

/** Whether the verdict is "worse", without the findings. */
export function isShownWorse({ alpha, errors, refusals, slowness }: Judge): boolean {
  const parts = [errors, refusals].map((one) => stakes[one.options.name] * Math.exp(lnFailureEvidence(one)))
  const slow = slowness.map((one) => stakes[one.options.name] * Math.exp(lnEvidence(one.worse)))
  return [...parts, ...slow].reduce((sum, part) => sum + part, 0) >= 1 / alpha
}

/**
 * What the errors of all requests together must show, as a natural logarithm, for the verdict "worse" when nothing else speaks for or
 * against the canary: no RPC apart, no refusals, no latencies. For simulations, which then need no more than counts.
 */
export function lnErrorsNeeded(alpha: number): number {
  const staked = stakes.errors * sumStake
  return Math.log((1 / alpha - (1 - staked)) / staked)
}
