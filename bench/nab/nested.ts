import { seededRandom, shuffled } from '../../services/platform/statistics/random.ts'
import type { Series } from './corpus.ts'
import { alarmRows } from './run.ts'
import { type Field, type Profile, rawScore, standard } from './scorer.ts'

/** Everything that choosing needs: the members' calibrated scores, by member and series. */
export interface Material {
  readonly corpus: readonly Series[]
  readonly fields: readonly Field[]
  readonly apart: readonly (readonly Float64Array[])[]
}

/** A choice made on some series: weights by member, and a threshold for their sum. */
export interface Choice {
  readonly weights: readonly number[]
  readonly threshold: number
  /** Standard score on the series it was made on, averaged with that of the neighbouring thresholds. */
  readonly score: number
}

const folds = 5
const additions = 10
const weightStep = 0.5
const thresholdSteps = 12
const thresholdRatio = 1.08
/** Thresholds are tried from this quantile of the sums upwards. */
const lowestQuantile = 0.97
export const seed = 20261122

/** Five parts of the series, drawn with a printed seed. */
export function foldsOf(count: number): number[][] {
  const order = shuffled(
    Array.from({ length: count }, (_, index) => index),
    seededRandom(seed),
  )
  return Array.from({ length: folds }, (_, fold) => order.filter((_, place) => place % folds === fold))
}

/** Series grouped by the folder they are in. */
export function categoriesOf(corpus: readonly Series[]): ReadonlyMap<string, number[]> {
  const groups = new Map<string, number[]>()
  corpus.forEach(({ name }, index) => {
    const category = name.split('/')[0] ?? ''
    groups.set(category, [...(groups.get(category) ?? []), index])
  })
  return groups
}

/**
 * Greedy weighting: from equal weights, half a unit at a time to the member that raises the standard score at its best
 * threshold most; the best stage of the way counts. Uses the given series only.
 */
export function choose(material: Material, series: readonly number[]): Choice {
  const count = material.apart.length
  let weights = new Array<number>(count).fill(weightStep)
  let best = bestThreshold(material, series, weights)
  for (let addition = 0; addition < additions; addition++) {
    const tried = weights.map((_, member) => {
      const next = weights.map((weight, each) => (each === member ? weight + weightStep : weight))
      return bestThreshold(material, series, next)
    })
    const winner = tried.reduce((a, b) => (b.score > a.score ? b : a))
    weights = [...winner.weights]
    if (winner.score > best.score) best = winner
  }
  return best
}

/** The threshold that is best for those weights on those series, by the mean of its score and its neighbours': plateaus, not peaks. */
export function bestThreshold(
  material: Material,
  series: readonly number[],
  weights: readonly number[],
): Choice {
  const sums = new Map(series.map((index) => [index, weightedSum(material, index, weights)]))
  const lowest = quantileAcross([...sums.values()])
  const scores = Array.from({ length: thresholdSteps }, (_, step) =>
    normalized(tallyAt(material, sums, lowest * thresholdRatio ** step, standard)),
  )
  const smooth = scores.map((score, step) => {
    const around = [scores[step - 1] ?? score, score, score, scores[step + 1] ?? score]
    return around.reduce((sum, each) => sum + each, 0) / around.length
  })
  const step = smooth.indexOf(Math.max(...smooth))
  return { weights, threshold: lowest * thresholdRatio ** step, score: smooth[step]! }
}

function quantileAcross(sums: readonly Float64Array[]): number {
  const sample = Float64Array.from(sums.flatMap((sum) => [...sum.filter((_, row) => row % 8 === 0)])).sort()
  return Math.max(1e-6, sample[Math.floor(sample.length * lowestQuantile)] ?? 1)
}

export function weightedSum(material: Material, series: number, weights: readonly number[]): Float64Array {
  const sum = new Float64Array(material.corpus[series]!.values.length)
  weights.forEach((weight, member) => {
    const scores = material.apart[member]![series]!
    if (weight > 0) for (let row = 0; row < sum.length; row++) sum[row]! += weight * scores[row]!
  })
  return sum
}

interface Part {
  readonly sum: number
  readonly least: number
  readonly scale: number
}

/** The raw score of some series under the alarm policy at a threshold. */
function tallyAt(
  material: Material,
  sums: ReadonlyMap<number, Float64Array>,
  threshold: number,
  profile: Profile,
): Part {
  const scored = [...sums].map(([index, sum]) => {
    return { field: material.fields[index]!, rows: alarmRows(sum, threshold) }
  })
  return rawScore(scored, profile)
}

function normalized({ sum, least, scale }: Part): number {
  return scale > 0 ? (100 * (sum - least)) / scale : 0
}

/** Chooses on all series but those of each part, scores that part, and adds the parts up as NAB does. */
export function heldOut(
  material: Material,
  parts: readonly (readonly number[])[],
  choosing: (material: Material, series: readonly number[]) => Choice,
): { score: number; parts: number[] } {
  const all = material.corpus.map((_, index) => index)
  const results = parts.map((part) => {
    const choice = choosing(
      material,
      all.filter((index) => !part.includes(index)),
    )
    const sums = new Map(part.map((index) => [index, weightedSum(material, index, choice.weights)]))
    return tallyAt(material, sums, choice.threshold, standard)
  })
  const total = results.reduce((a, b) => ({
    sum: a.sum + b.sum,
    least: a.least + b.least,
    scale: a.scale + b.scale,
  }))
  return { score: normalized(total), parts: results.map(normalized) }
}
