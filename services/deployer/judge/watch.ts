import { advance, armPrior, type BurstFilter, beginFilter, copyFilter, lnWealth } from './burst-filter.ts'
import type { Burstiness } from './burstiness.ts'
import type { Calibration } from './calibration.ts'
import { odds } from './finding.ts'
import { countOf, type Latencies, quantileBoundIndex, slowerThan } from './quantile.ts'
import { upperLimit } from './share-evidence.ts'
import type { ArmCounts } from './slot.ts'

/** What the old stable did in some time. */
export interface Recorded {
  readonly requests: number
  readonly errors: number
  readonly latencies: Latencies
}

/**
 * What the old stable did alone, when it had all the traffic, and lately, beside the canary: the worse of the two is what the canary is
 * held to, for under all the traffic it has more to do than beside stable, and the world may have changed since stable was alone.
 */
export interface Baseline {
  readonly alone: Recorded
  readonly lately: Recorded
  readonly burstiness: Calibration['burstiness']
}

/** An alarm while the canary has all the traffic; `log10Worse` is what has gathered since it began. */
export interface Alarm {
  readonly name: 'errors' | 'latency-p95' | 'latency-p99'
  readonly log10Worse: number
  readonly remark: string
}

interface Detector {
  readonly name: Alarm['name']
  readonly counts: (arm: ArmCounts) => number
  /** Share of the old stable's requests that were such events; its upper limit, as it was counted too. */
  readonly baseShare: number
  readonly burstiness: Burstiness
  readonly alarmAt: number
  readonly filter: BurstFilter
  /** Since the evidence was last at its beginning. */
  readonly events: number
  readonly requests: number
}

/**
 * Watches a version that has all the traffic: there is nothing left to compare with at the same time, so it is compared with what the
 * old stable did before. An e-detector (Shin, Ramdas and Rinaldo, arXiv 2203.03532): M_t = max(M_{t−1}, 1) · e_t, which begins anew
 * whenever the evidence is below 1, so that what goes wrong late is found as soon as what goes wrong at once. With the alarm at
 * looks / alpha, at most the part alpha of good versions has one within so many looks.
 * Degenerate: without a recorded past nothing can be said, and there is no alarm.
 */
export interface Watch {
  readonly detectors: readonly Detector[]
}

const stakes = { errors: 0.8, 'latency-p95': 0.1, 'latency-p99': 0.1 } as const
/** Events of a slot count up to this part of what an alarm needs. */
const slotShare = 3 / 4
/** A baseline of fewer requests says nothing. */
const minBaseline = 100
const limitBeta = 0.05
const alternatives = [2, 3, 5, 7, 10, 14].map((steps) => ({ steps, stake: 1 }))

export interface WatchOptions {
  readonly alpha: number
  /** How often it will be looked. */
  readonly looks: number
  /** How much slower the canary may be. */
  readonly latencyTolerance: number
}

export function beginWatch({ alpha, looks, latencyTolerance }: WatchOptions, baseline: Baseline): Watch {
  const { burstiness } = baseline
  const records = [baseline.alone, baseline.lately].filter(({ requests }) => requests >= minBaseline)
  const detector = (name: Alarm['name'], shares: readonly number[], counts: Detector['counts']) => {
    if (shares.length === 0) return []
    const alarmAt = Math.log(Math.max(1, looks) / (alpha * stakes[name]))
    const baseShare = Math.max(...shares)
    const own = { name, counts, baseShare, burstiness: burstiness[name], alarmAt, events: 0, requests: 0 }
    return [{ ...own, filter: begin(own) }]
  }
  const slow = (name: 'latency-p95' | 'latency-p99', p: number) => {
    const known = records.filter(({ latencies }) => quantileBoundIndex(latencies, p) !== undefined)
    const index = Math.max(...known.map(({ latencies }) => quantileBoundIndex(latencies, p)!))
    const bounds = known[0]?.latencies.bounds ?? []
    const tolerated = (bounds[index] ?? Infinity) * (1 + latencyTolerance)
    const above = bounds.findIndex((bound) => bound >= tolerated)
    const counts = (arm: ArmCounts) =>
      slowerThan({ bounds, counts: arm.latencyCounts }, above === -1 ? bounds.length : above)
    const shares = known.map(({ latencies }) => limitOf(slowerThan(latencies, index), countOf(latencies)))
    return detector(name, shares, counts)
  }
  const failed = records.map(({ errors, requests }) => limitOf(errors, requests))
  return {
    detectors: [
      ...detector('errors', failed, (arm) => arm.errors),
      ...slow('latency-p95', 0.95),
      ...slow('latency-p99', 0.99),
    ],
  }
}

function limitOf(events: number, requests: number): number {
  return upperLimit({ events, requests }, limitBeta)
}

function begin({ burstiness, alarmAt }: Pick<Detector, 'burstiness' | 'alarmAt'>): BurstFilter {
  const bets = { alternatives, waiting: 0, onsetPerSecond: 0, maxLnGain: slotShare * alarmAt }
  return beginFilter(bets, armPrior(burstiness.variance, burstiness.burstSeconds))
}

/** The watch after one more slot. A slot without requests, or with a count that is no number, says nothing. */
export function observeWatch(watch: Watch, arm: ArmCounts, seconds = 1): Watch {
  if (!(arm.requests > 0) || !Number.isFinite(arm.requests)) return watch
  return { detectors: watch.detectors.map((detector) => observeDetector(detector, arm, seconds)) }
}

function observeDetector(detector: Detector, arm: ArmCounts, seconds: number): Detector {
  const events = detector.counts(arm)
  if (!(events >= 0) || !Number.isFinite(events)) return detector
  const isAnew = lnWealth(detector.filter) < 0
  const filter = isAnew ? begin(detector) : copyFilter(detector.filter)
  const mean = arm.requests * detector.baseShare
  advance(filter, seconds, (lnFactor, factor) => events * lnFactor - mean * factor)
  return {
    ...detector,
    filter,
    events: (isAnew ? 0 : detector.events) + events,
    requests: (isAnew ? 0 : detector.requests) + arm.requests,
  }
}

/** The alarms after the slots so far; empty while there is none. */
export function alarmsOf({ detectors }: Watch): Alarm[] {
  return detectors
    .filter(({ filter, alarmAt }) => lnWealth(filter) >= alarmAt)
    .map(({ name, filter, events, requests, baseShare }) => {
      const log10Worse = lnWealth(filter) / Math.LN10
      const verb = name === 'errors' ? 'failed' : `were slower than stable's ${name.slice('latency-'.length)}`
      return {
        name,
        log10Worse,
        remark: `with all the traffic ${events} of ${requests} ${verb}, where stable had at most ${Number((100 * baseShare).toPrecision(2))} % before: ${odds(log10Worse)}`,
      }
    })
}
