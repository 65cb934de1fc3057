import { type Finding, standing, suspicionLog10 } from './finding.ts'
import {
  betOnNotWorse,
  betOnWorse,
  lnEvidence,
  observeRatio,
  type RatioProcess,
  type RatioSlot,
} from './ratio-process.ts'
import { isShownBelow, upperLimit } from './share-evidence.ts'

/** How many times stable's rate of events is still called equal when it is to be shown that the canary is not worse (peers.md 3.3). */
export const failureMargin = 2
/** A slot gives at most this part of what an abort needs: no single burst aborts. */
const slotShare = 1 / 2

export interface FailureOptions {
  readonly name: 'errors' | 'refusals'
  /** Probability of a wrong "worse" that is accepted for this question. */
  readonly alpha: number
  /** The same for "not worse". */
  readonly beta: number
  /** A canary that is shown to have a smaller share of events than this is not worse, whatever stable has. */
  readonly allowedShare: number
}

/** Whether the canary's requests end badly more often than stable's. State is plain data; each slot gives the next. */
export interface Failures {
  readonly options: FailureOptions
  readonly worse: RatioProcess
  readonly notWorse: RatioProcess
  readonly sum: RatioSlot
}

export function beginFailures(options: FailureOptions): Failures {
  return {
    options,
    worse: betOnWorse(1, slotShare * -Math.log(options.alpha)),
    notWorse: betOnNotWorse(failureMargin, slotShare * -Math.log(options.beta)),
    sum: { stableRequests: 0, stableEvents: 0, canaryRequests: 0, canaryEvents: 0 },
  }
}

export function observeFailures(failures: Failures, slot: RatioSlot): Failures {
  const { sum } = failures
  return {
    ...failures,
    worse: observeRatio(failures.worse, slot),
    notWorse: observeRatio(failures.notWorse, slot),
    sum: {
      stableRequests: sum.stableRequests + slot.stableRequests,
      stableEvents: sum.stableEvents + slot.stableEvents,
      canaryRequests: sum.canaryRequests + slot.canaryRequests,
      canaryEvents: sum.canaryEvents + slot.canaryEvents,
    },
  }
}

/** How the question stands after the slots so far. */
export function judgeFailures({ options, worse, notWorse, sum }: Failures): Finding {
  const log10Worse = lnEvidence(worse) / Math.LN10
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
  return {
    name: options.name,
    stableCount: sum.stableRequests,
    canaryCount: sum.canaryRequests,
    stableValue: share(sum.stableEvents, sum.stableRequests),
    canaryValue: share(sum.canaryEvents, sum.canaryRequests),
    ...verdict,
    remark: `canary ${canary.events} of ${canary.requests} ${verb}, stable ${sum.stableEvents} of ${sum.stableRequests}: ${standing(verdict, shown)}`,
  }
}

function share(events: number, requests: number): number {
  return requests === 0 ? 0 : events / requests
}

function percent(value: number): string {
  return `${Number((100 * value).toPrecision(2))} %`
}
