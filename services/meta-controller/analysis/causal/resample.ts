import { ascending, meanOf, quantileOfSorted } from '../../../platform/statistics/order.ts'
import { normalVariate, type Random, shuffled } from '../../../platform/statistics/random.ts'
import { crossFit, scoresOf } from './aipw.ts'
import { standardErrorOfMean } from './interval.ts'
import type { Learner } from './learner.ts'
import { scaled, scalingOf } from './learner.ts'
import { times, withColumn } from './matrix.ts'
import { ridgeOfScaled } from './ridge.ts'
import { blocksOf, dependenceOf, part, type Sample } from './sample.ts'

/** One attempt to refute the estimate. */
export interface Refutation {
  readonly name: string
  readonly passed: boolean
  /** What was found, in words. */
  readonly remark: string
}

/** More rows than these are not needed to see whether an estimator finds what is not there. */
const maxRefutedRows = 2000
const cheapFolds = 3
const cheapPenalties = [0.1]
const cheapTolerance = 0.02

/** A ridge with one penalty: refits are many, and only the difference between them counts. */
const cheapRidge: Learner = {
  name: 'ridge with one penalty',
  fit(x, y) {
    const scaling = scalingOf(x)
    const { coefficients, intercept } = ridgeOfScaled(scaled(x, scaling), y, cheapPenalties)
    return (other) => times(scaled(other, scaling), coefficients, intercept)
  },
}

function cheapEstimate(sample: Sample, random: Random) {
  const nuisances = crossFit(sample, {
    folds: cheapFolds,
    learners: [cheapRidge],
    penalties: cheapPenalties,
    tolerance: cheapTolerance,
    random,
  })
  return scoresOf(sample, nuisances)
}

/** The estimate to be refuted is the mean over so many divisions into folds, so that luck in one is not taken for a shift. */
const divisions = 10

/** The refutations by computing the estimate again on changed data, after DoWhy (Sharma and Kiciman 2020). */
export function resample(sample: Sample, refits: number, random: Random): Refutation[] {
  if (refits === 0) return []
  const rows = sample.y.length
  const used = rows <= maxRefutedRows ? sample : part(sample, drawn(rows, maxRefutedRows, random))
  const { scores } = cheapEstimate(used, random)
  const estimate = meanOf(Array.from({ length: divisions }, () => cheapEstimate(used, random).estimate))
  const base = {
    sample: used,
    estimate,
    se: standardErrorOfMean(scores, dependenceOf(used)).se,
    refits,
    random,
  }
  return [placebo(base), randomCause(base), subset(base), bootstrap(base), dummyOutcome(base)]
}

interface Base {
  readonly sample: Sample
  readonly estimate: number
  readonly se: number
  readonly refits: number
  readonly random: Random
}

/** So many estimates, each of a sample changed at random, ascending. */
function refitted({ refits, random }: Base, changed: () => Sample): Float64Array {
  return ascending(Array.from({ length: refits }, () => cheapEstimate(changed(), random).estimate))
}

const shown = (value: number) => String(Number(value.toPrecision(3)))
const limits = (sorted: Float64Array) =>
  [quantileOfSorted(sorted, 0.025), quantileOfSorted(sorted, 0.975)] as const

/** A treatment dealt out anew must have no effect, and the true one must stand out from such effects if it is claimed. */
function placebo(base: Base): Refutation {
  const { sample, estimate, se, random } = base
  const values = refitted(base, () => {
    const treated = dealtAnew(sample, random)
    const share = meanOf(treated)
    return { ...sample, treated, propensity: sample.propensity && treated.map(() => share) }
  })
  const [low, high] = limits(values)
  const isClaimed = Math.abs(estimate) > 1.96 * se
  const standsOut = estimate < low || estimate > high
  return {
    name: 'placebo treatment',
    passed: low <= 0 && high >= 0 && (standsOut || !isClaimed),
    remark: `95 % of placebo effects lie in ${shown(low)} to ${shown(high)}, the effect is ${shown(estimate)}`,
  }
}

/** Treatments exchanged between blocks where each block has one treatment, within blocks where it has both, else between all rows. */
function dealtAnew(sample: Sample, random: Random): Float64Array {
  const { treated } = sample
  if (blocksOf(sample) === undefined) return Float64Array.from(shuffled([...treated], random))
  const groups = groupsOf(sample)
  const result = new Float64Array(treated.length)
  const isWhole = groups.every((rows) => rows.every((row) => treated[row] === treated[rows[0]!]))
  const ofBlocks = shuffled(
    groups.map((rows) => treated[rows[0]!]!),
    random,
  )
  groups.forEach((rows, place) => {
    const own = shuffled(
      rows.map((row) => treated[row]!),
      random,
    )
    rows.forEach((row, index) => {
      result[row] = isWhole ? ofBlocks[place]! : own[index]!
    })
  })
  return result
}

/** A covariate of pure noise must not move the estimate. */
function randomCause(base: Base): Refutation {
  const { sample, estimate, se, random } = base
  const values = refitted(base, () => ({
    ...sample,
    x: withColumn(
      sample.x,
      Float64Array.from(sample.y, () => normalVariate(random)),
    ),
  }))
  const shift = Math.abs(meanOf(values) - estimate)
  return {
    name: 'random common cause',
    passed: shift <= 0.25 * se + dustOf(sample),
    remark: `noise as a covariate moves the effect by ${shown(shift / (se || 1))} standard errors (at most 0.25)`,
  }
}

/** Rounding alone moves an estimate that has no error by this much. */
const dustOf = ({ y }: Sample) => 1e-9 * y.reduce((most, value) => Math.max(most, Math.abs(value)), 0)

/** Four fifths of the rows must tell the same. */
function subset(base: Base): Refutation {
  const { sample, estimate, se, random } = base
  const rows = sample.y.length
  const values = refitted(base, () => part(sample, drawn(rows, Math.ceil(0.8 * rows), random)))
  const mean = meanOf(values)
  const changesSign = Math.abs(estimate) > 1.96 * se && Math.sign(mean) !== Math.sign(estimate)
  return {
    name: 'subset',
    passed: Math.abs(mean - estimate) <= se + dustOf(sample) && !changesSign,
    remark: `four fifths of the rows give ${shown(mean)} on average, all of them ${shown(estimate)}`,
  }
}

function drawn(rows: number, count: number, random: Random): number[] {
  return shuffled(
    Array.from({ length: rows }, (_, row) => row),
    random,
  )
    .slice(0, count)
    .sort((a, b) => a - b)
}

/** Drawing rows (or blocks) with replacement must agree with the estimate and with its standard error. */
function bootstrap(base: Base): Refutation {
  const { sample, estimate, se, random } = base
  const groups = groupsOf(sample)
  const values = refitted(base, () => {
    const chosen: number[] = []
    const blocks: number[] = []
    for (let place = 0; place < groups.length; place++)
      for (const row of groups[Math.floor(random() * groups.length)]!) {
        chosen.push(row)
        blocks.push(place)
      }
    return { ...part(sample, chosen), blocks: sample.blocks && Float64Array.from(blocks) }
  })
  const [low, high] = limits(values)
  const spread = (high - low) / (2 * 1.96)
  const agrees = se <= dustOf(sample) || (spread < 2 * se && spread > se / 2)
  return {
    name: 'bootstrap',
    passed: low - dustOf(sample) <= estimate && estimate <= high + dustOf(sample) && agrees,
    remark: `rows drawn anew give ${shown(low)} to ${shown(high)}, a standard error of ${shown(spread)} beside ${shown(se)}`,
  }
}

/** Rows of each block, or each row by itself. */
function groupsOf(sample: Sample): number[][] {
  const blocks = blocksOf(sample)
  if (blocks === undefined) return Array.from(sample.y.keys(), (row) => [row])
  const groups = new Map<number, number[]>()
  blocks.forEach((block, row) => {
    const list = groups.get(block)
    if (list === undefined) groups.set(block, [row])
    else list.push(row)
  })
  return [...groups.values()]
}

/** An outcome that is dealt out anew cannot have been changed by the treatment. */
function dummyOutcome(base: Base): Refutation {
  const { sample, random } = base
  const values = refitted(base, () => ({ ...sample, y: Float64Array.from(shuffled([...sample.y], random)) }))
  const [low, high] = limits(values)
  return {
    name: 'dummy outcome',
    passed: low <= 0 && high >= 0,
    remark: `95 % of effects on outcomes dealt out anew lie in ${shown(low)} to ${shown(high)}`,
  }
}
