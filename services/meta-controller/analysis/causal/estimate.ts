import { meanOf, varianceOf } from '../../../platform/statistics/order.ts'
import { type Random, seededRandom } from '../../../platform/statistics/random.ts'
import { averaged, crossFit, meanScores, type Nuisances, type Scores, scoresOf } from './aipw.ts'
import { boosting } from './boosting.ts'
import { assignment, controlOutcomes, unobservedCause } from './confounding.ts'
import { exponential } from './exponential.ts'
import { blockFolds } from './folds.ts'
import { imbalanceVariance } from './imbalance.ts'
import { type Interval, intervalAround, standardErrorOfMean } from './interval.ts'
import { kernelRidge } from './kernel.ts'
import type { Learner } from './learner.ts'
import { type Overlap, overlapOf, overlapProblem, trimmedRows } from './overlap.ts'
import { type Refutation, resample } from './resample.ts'
import { ridge } from './ridge.ts'
import {
  blocksOf,
  dependenceOf,
  type EffectInput,
  leastRows,
  leastRowsOfArm,
  part,
  type Refused,
  refuse,
  type Sample,
  sampleOf,
} from './sample.ts'
import { biasScaleOf, eValues, observedStrengths, robustnessValue } from './sensitivity.ts'

/** The average effect of a treatment, with what was tried to refute it. */
export interface EffectEstimate extends Interval {
  readonly kind: 'effect'
  /** The average difference that the treatment makes, in the unit of the outcome; `low` to `high` holds it in 95 % of cases. */
  readonly estimate: number
  /** The same for the rows at hand only, not for those that will come: a narrower interval. */
  readonly ofSample: Interval
  /** As many independent rows as the estimate is worth. */
  readonly ess: number
  readonly overlap: Overlap
  /** Rows left out because they were nearly sure to be treated or not to be: the effect is that of the others. */
  readonly trimmed: number
  readonly refutations: readonly Refutation[]
  /** A hidden common cause is suspected; the failed one of the refutations tells why. */
  readonly confounderSuspected: boolean
  readonly eValue: number
  /** How strong a hidden cause must be, as a share of what is unexplained on both sides, to move the effect to 0; and its interval. */
  readonly robustnessValue: number
  readonly robustnessValueOfLimit: number
}

export interface EstimateOptions {
  /** How much computing it may take: `fast` is a quarter of a second for a few hundred rows, `full` seconds. Left out: `fast`. */
  readonly effort?: Effort
  /** How often each refutation computes the estimate again; left out: 40 (fast) or 100; 0 leaves those refutations out. */
  readonly refits?: number
}

type Effort = 'fast' | 'full'

export const learnersOf = {
  fast: [ridge, exponential],
  full: [ridge, exponential, boosting, kernelRidge],
} as const satisfies Record<Effort, readonly Learner[]>

const folds = 5
/** Fewer blocks than these hardly say how much blocks differ; with just these the interval is Student's of 2 degrees of freedom. */
const leastBlocks = 3
/** Divisions into folds over which estimates are averaged. */
const divisions = 4
const refitsOf = { fast: 40, full: 100 } as const

/**
 * The effect of a treatment by cross-fitted AIPW, its refutations and its sensitivity to hidden causes; or why it cannot be told
 * (malformed rows, too few of one kind, no overlap). The same input and seed give the same answer.
 * Example: 200 rows of y = 2t + x with t drawn by lot give about 2, with an interval of about ± 0.3 when the noise is 1.
 */
export function estimateEffect(input: EffectInput, options: EstimateOptions = {}): EffectEstimate | Refused {
  const { effort = 'fast' } = options
  const whole = sampleOf(input)
  if ('kind' in whole) return whole
  const random = seededRandom(input.seed)
  const fitted = fitWithOverlap(whole, learnersOf[effort], random)
  if ('kind' in fitted) return fitted
  const { sample, nuisances, scores, overlap, kept } = fitted
  const { population, ofSample } = intervalsOf(fitted)
  const scale = biasScaleOf(sample, nuisances)
  const distance = Math.max(0, population.low, -population.high)
  const controls = input.controlOutcomes?.map((values) => kept.map((row) => values[row]!)) ?? []
  const tests = confoundingTests({ sample, nuisances, controls, population, random, scale })
  return {
    kind: 'effect',
    estimate: scores.estimate,
    ...population,
    ofSample,
    ess: overlap.effectiveRows,
    overlap,
    trimmed: whole.y.length - kept.length,
    refutations: [...resample(sample, options.refits ?? refitsOf[effort], random), ...tests.all],
    confounderSuspected: tests.decisive.some((one) => !one.passed),
    eValue: eValues(scores.estimate, population.se, Math.sqrt(varianceOf(sample.y))).estimate,
    robustnessValue: robustnessValue(scale, Math.abs(scores.estimate)),
    robustnessValueOfLimit: robustnessValue(scale, distance),
  }
}

interface Fitted {
  readonly sample: Sample
  /** Means over the divisions into folds. */
  readonly nuisances: Nuisances
  readonly scores: Scores
  /** The scores of each division. */
  readonly divided: readonly Scores[]
  readonly overlap: Overlap
  /** Which of the given rows are in the sample. */
  readonly kept: readonly number[]
}

/** Nuisances and scores of all rows or, where the arms overlap too little, of those that remain after trimming. */
export function fitWithOverlap(
  whole: Sample,
  learners: readonly Learner[],
  random: Random,
): Fitted | Refused {
  const all = Array.from(whole.y.keys())
  const unfit = divisionProblem(whole)
  if (unfit !== undefined) return refuse(unfit)
  const first = fit(whole, learners, random)
  const problem = overlapProblem(first.overlap)
  if (problem === undefined) return { ...first, kept: all }
  const kept = trimmedRows(first.nuisances.propensity)
  if (kept.length < leastRows) return refuse(`${problem}, and too few rows remain without those`)
  const trimmed = part(whole, kept)
  const left = divisionProblem(trimmed)
  if (left !== undefined) return refuse(`${problem}; without the rows of least overlap: ${left}`)
  const again = fit(trimmed, learners, random)
  const still = overlapProblem(again.overlap)
  return still === undefined
    ? { ...again, kept }
    : refuse(`${problem}; without the rows of least overlap ${still}`)
}

/** Why models of both arms cannot be learnt from each division into folds. */
function divisionProblem(sample: Sample): string | undefined {
  const { treated } = sample
  const blocks = blocksOf(sample)
  if (blocks !== undefined && new Set(blocks).size < leastBlocks)
    return `the rows are ${new Set(blocks).size} blocks: at least ${leastBlocks} are needed`
  const places = blocks === undefined ? treated.keys() : blockFolds(blocks, folds)
  const of = [new Set<number>(), new Set<number>()]
  const counts = [0, 0]
  let row = 0
  for (const place of places) {
    const arm = treated[row++]!
    of[arm]!.add(place)
    counts[arm]!++
  }
  if (Math.min(...counts) < leastRowsOfArm)
    return `${counts[1]} rows were treated and ${counts[0]} were not: too few of one kind`
  if (Math.min(...of.map((one) => one.size)) < 2) return 'one of the arms is in a single stretch of time only'
  return undefined
}

function fit(sample: Sample, learners: readonly Learner[], random: Random) {
  // Blocks are divided in one way only, by time.
  const count = blocksOf(sample) === undefined ? divisions : 1
  const all = Array.from({ length: count }, () => crossFit(sample, { folds, learners, random }))
  const divided = all.map((one) => scoresOf(sample, one))
  const nuisances = averaged(all)
  const overlap = overlapOf(sample, nuisances.propensity)
  return { sample, nuisances, divided, scores: meanScores(divided), overlap }
}

/**
 * 95 % intervals for rows like these, and for just these. The variance is the mean over divisions of theirs, and that between the
 * estimates of divisions (Chernozhukov et al. 2018, definition 3.3, with the unbiased variance of few divisions), and what the
 * models' own error adds where the arms differ (`imbalanceVariance`; without it, too few intervals hold the truth). It is known no
 * better than the smaller arm allows: the quantile is Student's with as many degrees of freedom as that arm has effective rows.
 */
export function intervalsOf({ sample, nuisances, divided, overlap }: Omit<Fitted, 'kept'>) {
  const dependence = dependenceOf(sample)
  const estimates = divided.map((one) => one.estimate)
  const ofModels = imbalanceVariance(sample, nuisances)
  const smaller = Math.max(1, Math.min(overlap.effectiveTreated, overlap.effectiveUntreated) - 1)
  const around = (errors: (one: Scores) => Float64Array) => {
    const each = divided.map((one) => standardErrorOfMean(errors(one), dependence))
    const variance = meanOf(each.map(({ se }) => se * se)) + varianceOf(estimates) + ofModels
    return intervalAround(meanOf(estimates), Math.sqrt(variance), Math.min(smaller, each[0]!.freedom))
  }
  return {
    population: around((one) => one.scores),
    ofSample: around(({ scores, modelled }) => scores.map((score, row) => score - modelled[row]!)),
  }
}

interface ConfoundingInput {
  readonly sample: Sample
  readonly nuisances: Nuisances
  readonly controls: readonly (readonly number[])[]
  readonly population: Interval
  readonly random: Random
  readonly scale: ReturnType<typeof biasScaleOf>
}

/**
 * Which test decides whether a hidden cause is suspected: outcomes before the treatment where there are any; a known assignment
 * by its own check; with neither, that no cause as strong as the strongest observed one explains the effect.
 */
function confoundingTests({ sample, nuisances, controls, population, random, scale }: ConfoundingInput) {
  const unobserved = unobservedCause(population, scale, observedStrengths(sample))
  const decisive: Refutation[] = []
  if (controls.length > 0) decisive.push(controlOutcomes(sample, nuisances.propensity, controls, random))
  if (sample.propensity !== undefined) decisive.push(assignment(sample, sample.propensity))
  return { all: [...decisive, unobserved], decisive: decisive.length > 0 ? decisive : [unobserved] }
}
