import { meanOf } from '../../services/platform/statistics/order.ts'
import {
  type Arm,
  durationOf,
  type PeerJudge,
  type Step,
  threeSteps,
  type Verdict,
  weightAt,
} from './judge.ts'
import { shiftBetween, TiedObservationsError } from './mann-whitney.ts'

/** How one metric of the canary compares with the baseline's, in Kayenta's words. */
export type Classification = 'Pass' | 'High' | 'Low' | 'Nodata' | 'Error'

/** The configuration of one metric. */
export interface MetricOptions {
  readonly direction?: 'increase' | 'decrease' | 'either'
  /** What becomes of NaN: removed, or taken as 0. */
  readonly nanStrategy?: 'remove' | 'replace'
  /** Mean ratio from which High counts. */
  readonly allowedIncrease?: number
  /** Mean ratio down to which Low counts. */
  readonly allowedDecrease?: number
  readonly critical?: boolean
}

/** Written into NetflixACAJudge at the call of its classifier. */
const confidenceLevel = 0.98
const toleranceOfShift = 0.25

/**
 * NetflixACAJudge-v1.0 on one metric: High when the lower confidence bound of the shift exceeds a quarter of the shift's own
 * estimate (a fraction of the shift, not of the baseline) and the ratio of means is at least `allowedIncrease`; Low likewise;
 * else Pass. A baseline of zeros has the ratio 1. Example: seven of ten points at a hundred times the baseline pass
 * (spinnaker issue 6278).
 */
export function classifyMetric(
  control: readonly number[],
  experiment: readonly number[],
  options: MetricOptions = {},
): Classification {
  const { direction = 'either', nanStrategy = 'remove', allowedIncrease = 1, allowedDecrease = 1 } = options
  const baseline = clean(control, nanStrategy)
  const canary = clean(experiment, nanStrategy)
  if (baseline.length === 0 || canary.length === 0) return nanStrategy === 'remove' ? 'Nodata' : 'Pass'
  if (sameValues(baseline, canary)) return 'Pass'
  const [first] = canary
  if ([...canary, ...baseline].every((value) => value === first)) return 'Pass'
  const mean = meanOf(baseline)
  const ratio = mean === 0 ? 1 : meanOf(canary) / mean
  try {
    const { lower, upper, estimate } = shiftBetween(...separated(canary, baseline), confidenceLevel)
    const bound = toleranceOfShift * Math.abs(estimate)
    if (direction !== 'decrease' && lower > bound && ratio >= allowedIncrease) return 'High'
    if (direction !== 'increase' && upper < -bound && ratio <= allowedDecrease) return 'Low'
    return 'Pass'
  } catch (error) {
    if (error instanceof TiedObservationsError) return 'Error'
    throw error
  }
}

function clean(values: readonly number[], strategy: 'remove' | 'replace'): number[] {
  return strategy === 'remove'
    ? values.filter((value) => !Number.isNaN(value))
    : values.map((value) => (Number.isNaN(value) ? 0 : value))
}

function sameValues(one: readonly number[], other: readonly number[]): boolean {
  const sorted = other.toSorted((a, b) => a - b)
  return (
    one.length === other.length &&
    one.toSorted((a, b) => a - b).every((value, index) => value === sorted[index])
  )
}

/**
 * Where each side has one value only, Kayenta adds noise of a 1e-5th of it so that not all are tied. A fixed ramp of that
 * size does the same and can be repeated.
 */
function separated(canary: number[], baseline: number[]): [number[], number[]] {
  const constant = (values: number[]) => values.every((value) => value === values[0])
  if (!constant(canary) || !constant(baseline)) return [canary, baseline]
  const ramp = (values: number[], offset: number) =>
    values.map((value, index) => value * (1 + 1e-5 * ((index + offset) / values.length - 0.5)))
  return [ramp(canary, 0.25), ramp(baseline, 0.75)]
}

/** A classified metric, its groups and their weights, for the score. */
export interface MetricResult {
  readonly classification: Classification
  readonly groups: readonly string[]
  readonly critical?: boolean
}

/**
 * WeightedSumScorer: a group's score is the share of Pass among its Pass, High and Low; a group without any of them counts
 * 100; groups without a weight share what is left of 100 equally. A critical metric that is High, Low or Nodata makes it 0; so
 * does Nodata in half of the metrics. Error counts as nothing at all.
 */
export function scoreOf(
  results: readonly MetricResult[],
  groupWeights: Readonly<Record<string, number>> = {},
): number {
  const failsAlone = (result: MetricResult) =>
    result.critical === true && ['High', 'Low', 'Nodata'].includes(result.classification)
  if (results.some(failsAlone)) return 0
  const noData = results.filter((result) => result.classification === 'Nodata').length
  if (results.length > 0 && noData / results.length >= 0.5) return 0
  const groups = [...new Set(results.flatMap((result) => result.groups))]
  const unweighted = groups.filter((group) => groupWeights[group] === undefined).length
  const left = 100 - Object.values(groupWeights).reduce((total, weight) => total + weight, 0)
  return groups.reduce((total, group) => {
    const weight = groupWeights[group] ?? left / unweighted
    return total + (groupScore(results.filter((result) => result.groups.includes(group))) * weight) / 100
  }, 0)
}

function groupScore(results: readonly MetricResult[]): number {
  const count = (kinds: readonly Classification[]) =>
    results.filter((result) => kinds.includes(result.classification)).length
  const classified = count(['Pass', 'High', 'Low'])
  return classified === 0 ? 100 : (100 * count(['Pass'])) / classified
}

/** How a canary is judged by Kayenta in a standalone canary analysis or a Spinnaker stage. */
export interface KayentaOptions extends MetricOptions {
  readonly name?: string
  /** Seconds of one point. */
  readonly bucketS?: number
  /** Seconds between judgements, each over all points so far; the last is at the end of the steps. */
  readonly judgeEveryS?: number
  readonly passScore?: number
  readonly marginalScore?: number
  readonly steps?: readonly Step[]
}

/**
 * Kayenta on the error rate, a point a bucket: any judgement whose score is at most the marginal one aborts; at the end the
 * last score alone is compared with pass. Nothing is corrected for the number of judgements.
 */
export function kayenta(options: KayentaOptions = {}): PeerJudge {
  const { bucketS = 60, steps = threeSteps, passScore = 95, marginalScore = 75 } = options
  const lifetimeS = durationOf(steps)
  const judgeEveryS = options.judgeEveryS ?? lifetimeS
  const metric: MetricOptions = { direction: 'increase', ...options }
  const [control, experiment]: [number[], number[]] = [[], []]
  let elapsedS = 0
  let ended: Verdict | undefined

  const judge = (): Verdict => {
    const classification = classifyMetric(control, experiment, metric)
    const score = scoreOf([{ classification, groups: ['errors'], critical: metric.critical }])
    if (score <= marginalScore) return 'abort'
    if (elapsedS < lifetimeS) return 'continue'
    return score >= passScore ? 'promote' : 'abort'
  }
  return {
    name: options.name ?? `Kayenta, every ${judgeEveryS} s`,
    intervalS: bucketS,
    get weightPercent() {
      return weightAt(steps, elapsedS)
    },
    observe({ canary, stable }) {
      if (ended !== undefined) return ended
      elapsedS += bucketS
      control.push(errorRate(stable))
      experiment.push(errorRate(canary))
      if (elapsedS % judgeEveryS !== 0 && elapsedS < lifetimeS) return 'continue'
      const verdict = judge()
      if (verdict !== 'continue') ended = verdict
      return verdict
    },
  }
}

/** NaN without requests, as a query over no samples gives. */
function errorRate({ requests, errors }: Arm): number {
  return requests > 0 ? errors / requests : Number.NaN
}
