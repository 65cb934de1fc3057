import { beginFailures, type Failures, judgeFailures, observeFailures } from './failures.ts'
import type { Finding } from './finding.ts'
import type { ArmCounts, Slot } from './slot.ts'
import {
  beginSlowness,
  beginSlownessStep,
  judgeSlowness,
  observeReference,
  observeSlowness,
  type Slowness,
} from './slowness.ts'

export interface JudgeOptions {
  /** Probability of a wrong "worse" that is accepted over the whole rollout, all questions together. */
  readonly alpha: number
  /** Share of errors that a canary may have whatever stable has: what the availability SLO allows. */
  readonly allowedErrorShare: number
  /** How much slower the canary may be: 0.25 is a quarter. */
  readonly latencyTolerance: number
  /** Upper bounds of the latency counts in milliseconds, rising. */
  readonly boundsMs: readonly number[]
}

export type JudgeVerdict = 'worse' | 'not worse' | 'not enough evidence'

export interface Judgement {
  readonly verdict: JudgeVerdict
  /** One for each question, errors first. */
  readonly findings: readonly Finding[]
}

/** Probability of a wrong "not worse" that is accepted. All questions must be answered so, which needs no division among them. */
export const beta = 0.05
/** Errors get half of alpha, since they are what hurts first; the others a sixth each. Together they are alpha (Bonferroni). */
const alphaShares = { errors: 1 / 2, refusals: 1 / 6, p95: 1 / 6, p99: 1 / 6 }
/** Slow requests at p99 are few: at the margin of p95 most rollouts would end for want of evidence. */
const margins = { p95: 2, p99: 3 }

/**
 * Judges a canary against stable under the same traffic, second by second, and may be asked at every moment without losing its
 * error rate. Plain data: each slot gives the next judge. Errors are judged apart from latency and first, so that a deadline that
 * fails fast does not pass for an improvement.
 * A verdict: worse, when any question shows it; not worse, when errors and both quantiles show it; else not enough evidence.
 * Refusals (not found, wrong argument …) only ever speak against a canary: services have too few of them to wait for.
 */
export interface Judge {
  readonly errors: Failures
  readonly refusals: Failures
  readonly slowness: readonly Slowness[]
}

export function beginJudge(options: JudgeOptions): Judge {
  const failures = (name: 'errors' | 'refusals') =>
    beginFailures({
      name,
      alpha: options.alpha * alphaShares[name],
      beta,
      allowedShare: options.allowedErrorShare,
    })
  const slowness = (p: 0.95 | 0.99, quantile: 'p95' | 'p99') =>
    beginSlowness(
      {
        name: `latency-${quantile}`,
        p,
        margin: margins[quantile],
        tolerance: options.latencyTolerance,
        alpha: options.alpha * alphaShares[quantile],
        beta,
      },
      options.boundsMs,
    )
  return {
    errors: failures('errors'),
    refusals: failures('refusals'),
    slowness: [slowness(0.95, 'p95'), slowness(0.99, 'p99')],
  }
}

/** The judge at a new weight. */
export function beginStep(judge: Judge): Judge {
  return { ...judge, slowness: judge.slowness.map(beginSlownessStep) }
}

/** The judge after one more slot. `isWarm` is false while the canary warms up: then its latency says nothing about its code. */
export function observe(judge: Judge, { stable, canary }: Slot, isWarm: boolean): Judge {
  const counts = (events: (arm: ArmCounts) => number) => ({
    stableRequests: stable.requests,
    stableEvents: events(stable),
    canaryRequests: canary.requests,
    canaryEvents: events(canary),
  })
  return {
    errors: observeFailures(
      judge.errors,
      counts((arm) => arm.errors),
    ),
    refusals: observeFailures(
      judge.refusals,
      counts((arm) => arm.refusals),
    ),
    slowness: judge.slowness.map((question) => {
      const { bounds } = question.reference
      const stableLatencies = { bounds, counts: stable.latencyCounts }
      if (!isWarm) return observeReference(question, stableLatencies)
      return observeSlowness(question, stableLatencies, { bounds, counts: canary.latencyCounts })
    }),
  }
}

/** What the judge says after the slots so far. */
export function decide(judge: Judge): Judgement {
  const needed = [judgeFailures(judge.errors), ...judge.slowness.map(judgeSlowness)]
  const refusals = judgeFailures(judge.refusals)
  const findings = [...needed, refusals]
  return { verdict: verdictOf(needed, findings), findings }
}

function verdictOf(needed: readonly Finding[], findings: readonly Finding[]): JudgeVerdict {
  if (findings.some((finding) => finding.isShownWorse)) return 'worse'
  return needed.every((finding) => finding.isShownNotWorse) ? 'not worse' : 'not enough evidence'
}
