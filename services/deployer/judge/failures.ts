import { type BurstPrior, ratioPrior, steady } from './burst-filter.ts'
import type { Burstiness } from './burstiness.ts'
import { type Finding, standing, suspicionLog10 } from './finding.ts'
import {
  betOnNotWorse,
  betOnWorse,
  lnEvidence,
  observeRatio,
  type RatioProcess,
  type RatioSlot,
  recalibrateRatio,
} from './ratio-process.ts'
import { isShownBelow, upperLimit } from './share-evidence.ts'
import { beginSlices, findSlices, lnMeanEvidence, observeSlices, type Slices } from './slices.ts'
import { isError, isRefusal, type Slot } from './slot.ts'

/** How many times stable's rate of events is still called equal when it is to be shown that the canary is not worse (peers.md 3.3). */
export const failureMargin = 2
/** A slot gives at most this part of what an abort needs: no single burst aborts. */
export const slotShare = 3 / 4
/** What the sum of all requests gets of the stakes; the rest is for the RPCs one by one. */
export const sumStake = 15 / 16
/** One RPC is burstier than the sum of all: at least this variance is assumed. */
const leastSliceVariance = 0.03

export interface FailureOptions {
  readonly name: 'errors' | 'refusals'
  /** Probability of a wrong "worse" that is accepted for this question. */
  readonly alpha: number
  /** The same for "not worse". */
  readonly beta: number
  /** A canary that is shown to have a smaller share of events than this is not worse, whatever stable has. */
  readonly allowedShare: number
  /** How stable's rate fluctuates by itself. */
  readonly burstiness: Burstiness
}

/** Whether the canary's requests end badly more often than stable's. State is plain data; each slot gives the next. */
export interface Failures {
  readonly options: FailureOptions
  readonly worse: RatioProcess
  readonly notWorse: RatioProcess
  readonly slices: Slices
  readonly sum: RatioSlot
}

export function beginFailures(options: FailureOptions): Failures {
  const { name, alpha, beta, burstiness } = options
  const maxLnGain = slotShare * -Math.log(alpha)
  return {
    options,
    worse: betOnMoreFailures(alpha, burstiness),
    notWorse: betOnNotWorse(failureMargin, slotShare * -Math.log(beta), likely(burstiness)),
    slices: beginSlices(
      name === 'errors' ? isError : isRefusal,
      maxLnGain,
      cautious(burstiness, leastSliceVariance),
    ),
    sum: { stableRequests: 0, stableEvents: 0, canaryRequests: 0, canaryEvents: 0 },
  }
}

/** The process on all requests together. */
export function betOnMoreFailures(alpha: number, burstiness: Burstiness): RatioProcess {
  return betOnWorse(1, slotShare * -Math.log(alpha), cautious(burstiness))
}

/** The burstiness that the judge allows for before it calls a canary worse. */
export function cautious({ variance, burstSeconds }: Burstiness, least = 0): BurstPrior {
  const each = Math.max(variance, least)
  return each === 0 ? steady : ratioPrior({ canary: each, stable: each }, burstSeconds)
}

/** The burstiness that is likelier than not: what it allows for before it calls a canary not worse. */
export function likely({ likelyVariance, burstSeconds }: Burstiness): BurstPrior {
  return ratioPrior({ canary: likelyVariance, stable: likelyVariance }, burstSeconds)
}

/** With what is known of stable's burstiness by now. The slices stay as they began. */
export function recalibrateFailures(failures: Failures, burstiness: Burstiness): Failures {
  return {
    ...failures,
    options: { ...failures.options, burstiness },
    worse: recalibrateRatio(failures.worse, cautious(burstiness)),
    notWorse: recalibrateRatio(failures.notWorse, likely(burstiness)),
  }
}

export function observeFailures(failures: Failures, slot: Slot): Failures {
  const { sum, options } = failures
  const now = countsOf(slot, options.name)
  return {
    ...failures,
    worse: observeRatio(failures.worse, now),
    notWorse: observeRatio(failures.notWorse, now),
    slices: observeSlices(failures.slices, slot),
    sum: {
      stableRequests: sum.stableRequests + now.stableRequests,
      stableEvents: sum.stableEvents + now.stableEvents,
      canaryRequests: sum.canaryRequests + now.canaryRequests,
      canaryEvents: sum.canaryEvents + now.canaryEvents,
    },
  }
}

function countsOf({ stable, canary, seconds }: Slot, name: 'errors' | 'refusals'): RatioSlot {
  return {
    stableRequests: stable.requests,
    stableEvents: stable[name],
    canaryRequests: canary.requests,
    canaryEvents: canary[name],
    ...(seconds !== undefined && { seconds }),
  }
}

/** ln of the evidence that the canary is worse: the stakes on the sum and those on its parts, together. */
export function lnFailureEvidence({ worse, slices }: Failures): number {
  return Math.log(sumStake * Math.exp(lnEvidence(worse)) + (1 - sumStake) * Math.exp(lnMeanEvidence(slices)))
}

/** How the question stands after the slots so far. */
export function judgeFailures(failures: Failures): Finding {
  const { options, notWorse, sum } = failures
  const log10Worse = lnFailureEvidence(failures) / Math.LN10
  const abortAt = -Math.log10(options.alpha)
  const canary = { events: sum.canaryEvents, requests: sum.canaryRequests }
  const isBelow = isShownBelow(options.allowedShare, canary, options.beta)
  const isMirrored = lnEvidence(notWorse) >= -Math.log(options.beta)
  const verdict = {
    log10Worse,
    abortAt,
    isShownWorse: log10Worse >= abortAt,
    isShownNotWorse: (isBelow || isMirrored) && log10Worse < suspicionLog10,
  }
  const shown = isBelow
    ? `${percent(upperLimit(canary, options.beta))} at most, ${percent(options.allowedShare)} is allowed`
    : `shown to be less than ${failureMargin} times stable's share`
  const verb = options.name === 'errors' ? 'failed' : 'refused'
  const slices = findSlices(failures.slices)
  const listed = slices.filter(({ isListed }) => isListed)
  const places = listed.map(({ method, status }) => `${method} with status ${status}`)
  return {
    name: options.name,
    stableCount: sum.stableRequests,
    canaryCount: sum.canaryRequests,
    stableValue: share(sum.stableEvents, sum.stableRequests),
    canaryValue: share(sum.canaryEvents, sum.canaryRequests),
    ...verdict,
    remark:
      `canary ${canary.events} of ${canary.requests} ${verb}, stable ${sum.stableEvents} of ${sum.stableRequests}: ${standing(verdict, shown)}` +
      (places.length > 0 ? `, in ${places.join(' and ')}` : ''),
    slices,
  }
}

function share(events: number, requests: number): number {
  return requests === 0 ? 0 : events / requests
}

function percent(value: number): string {
  return `${Number((100 * value).toPrecision(2))} %`
}
