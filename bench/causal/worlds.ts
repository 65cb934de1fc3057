import {
  choleskyOf,
  emptyMatrix,
  gramOf,
  type Matrix,
  solveCholesky,
  times,
  transposedTimes,
} from '../../services/meta-controller/analysis/causal/matrix.ts'
import { varianceOf } from '../../services/platform/statistics/order.ts'
import {
  exponentialVariate,
  normalVariate,
  type Random,
  shuffled,
} from '../../services/platform/statistics/random.ts'
import type { Infants } from './surfaces.ts'

/**
 * Rows in which a variable u that is not among the covariates may move treatment and outcome. Before the treatment the same
 * indicator was measured three times: u moved it then as well, the treatment could not.
 */
export interface HiddenWorld {
  readonly family: 'infants, u hidden' | 'infants, covariate dropped' | 'services'
  /** A variable outside the covariates moves both treatment and outcome. In clean worlds it moves one of them, or none. */
  readonly isPlanted: boolean
  readonly covariates: readonly Float64Array[]
  readonly treated: Float64Array
  readonly y: Float64Array
  readonly before: readonly Float64Array[]
  /** The true average effect of these rows. */
  readonly effect: number
}

/** Strength of u in the log-odds of treatment, and in the outcome in units of its noise: 0 where it does not act. */
interface Strength {
  readonly onTreatment: number
  readonly onOutcome: number
}

const measurements = 3
const families = ['infants, u hidden', 'infants, covariate dropped', 'services'] as const

/** The least and the greatest strength. */
export type Range = readonly [number, number]

/**
 * The world of a number: families take turns. Planted: u acts on both, with strengths from that range. Clean: in a third u acts on
 * the treatment only (an instrument), in a third on the outcome only, in a third on neither. The true effect is −4 to 4 deviations
 * of the noise.
 */
export function hiddenWorld(
  { index, isPlanted, range }: { index: number; isPlanted: boolean; range: Range },
  infants: Infants,
  random: Random,
): HiddenWorld {
  const family = families[index % families.length]!
  const strong = () => range[0] + (range[1] - range[0]) * random()
  const clean = Math.floor(index / families.length) % 3
  const strength = {
    onTreatment: isPlanted || clean === 0 ? strong() : 0,
    onOutcome: isPlanted || clean === 1 ? strong() : 0,
  }
  const world =
    family === 'services' ? services(strength, random) : infantWorld(family, infants, strength, random)
  return { ...world, family, isPlanted }
}

type Drawn = Omit<HiddenWorld, 'family' | 'isPlanted'>

/**
 * The infants' covariates with a treatment that is drawn anew (log-odds linear in five of them and u) and a linear or an
 * exponential outcome. Where a covariate is dropped, it is one of the numeric columns, and u is what the others do not tell of it.
 */
function infantWorld(
  family: HiddenWorld['family'],
  { x }: Infants,
  strength: Strength,
  random: Random,
): Drawn {
  const isDropped = family === 'infants, covariate dropped'
  const removed = isDropped ? 1 + Math.floor(6 * random()) : 0
  const columns = Array.from({ length: x.columns }, (_, column) => column).filter(
    (column) => column !== 0 && column !== removed,
  )
  const seen = standardised(x, columns)
  const hidden = isDropped
    ? beyond(standardised(x, [removed]).data, seen)
    : Float64Array.from({ length: x.rows }, () => normalVariate(random))
  const treated = draw(times(seen, sparse(columns.length, 5, 0.5, random)), hidden, strength, random)
  const level = times(seen, sparse(columns.length, 8, 0.5, random))
  const surface = random() < 0.5 ? level : level.map((value) => Math.exp(0.5 * value))
  const effect = (random() < 0.5 ? -1 : 1) * 4 * random()
  const measured = (persistence: number) =>
    surface.map(
      (value, row) => value + persistence * strength.onOutcome * hidden[row]! + normalVariate(random),
    )
  const before = Array.from({ length: measurements }, () => measured(0.6 + 0.4 * random()))
  const y = measured(1).map((value, row) => value + effect * treated[row]!)
  return { covariates: rowsOf(seen), treated, y, before, effect }
}

/**
 * Changes of services: latency before and after each, load and errors as covariates. u is what the telemetry does not have (a
 * noisy neighbour): teams change a service when it hurts. Latency is multiplied by all of them, its noise is skewed.
 */
function services(strength: Strength, random: Random): Drawn {
  const rows = 300 + Math.floor(400 * random())
  const seen = emptyMatrix(rows, 5)
  for (let row = 0; row < rows; row++) {
    const load = normalVariate(random)
    const values = [
      load,
      0.6 * load + 0.8 * normalVariate(random),
      exponentialVariate(random, 1),
      random() < 0.3 ? 1 : 0,
    ]
    seen.data.set([...values, normalVariate(random)], row * 5)
  }
  const hidden = Float64Array.from({ length: rows }, () => normalVariate(random))
  const treated = draw(times(seen, Float64Array.of(0.5, 0.2, 0.2, 0.4, 0)), hidden, strength, random)
  const unit = 0.15
  const level = times(seen, Float64Array.of(0.2, 0.1, 0.08, 0.15, 0)).map((value) => 3 + value)
  const noise = () => unit * (exponentialVariate(random, 1) - 1)
  const measured = (persistence: number) =>
    level.map((value, row) =>
      Math.exp(value + persistence * strength.onOutcome * unit * hidden[row]! + noise()),
    )
  const before = Array.from({ length: measurements }, () => measured(0.6 + 0.4 * random()))
  const factor = Math.exp((random() < 0.5 ? -1 : 1) * 4 * unit * random())
  const untreated = measured(1)
  const effect = untreated.reduce((sum, value) => sum + value * (factor - 1), 0) / rows
  const y = untreated.map((value, row) => (treated[row] === 1 ? value * factor : value))
  return { covariates: rowsOf(seen), treated, y, before, effect }
}

function standardised(x: Matrix, columns: readonly number[]): Matrix {
  const result = emptyMatrix(x.rows, columns.length)
  columns.forEach((from, to) => {
    let mean = 0
    let square = 0
    for (let row = 0; row < x.rows; row++) mean += x.data[row * x.columns + from]! / x.rows
    for (let row = 0; row < x.rows; row++) square += (x.data[row * x.columns + from]! - mean) ** 2 / x.rows
    for (let row = 0; row < x.rows; row++)
      result.data[row * columns.length + to] =
        (x.data[row * x.columns + from]! - mean) / (square > 0 ? Math.sqrt(square) : 1)
  })
  return result
}

/** What is left of a column when the others have told what they can (least squares), in its own deviations. */
function beyond(values: Float64Array, seen: Matrix): Float64Array {
  const gram = gramOf(seen)
  for (let i = 0; i < seen.columns; i++) gram[i * seen.columns + i]! += 1e-6 * seen.rows
  const beta = solveCholesky(choleskyOf(gram, seen.columns), transposedTimes(seen, values))
  const left = times(seen, beta).map((told, row) => values[row]! - told)
  const deviation = Math.sqrt(varianceOf(left))
  return left.map((value) => value / deviation)
}

/** Coefficients of which so many are not 0 but ± the size. */
function sparse(columns: number, count: number, size: number, random: Random): Float64Array {
  const result = new Float64Array(columns)
  const chosen = shuffled(Array.from(result.keys()), random).slice(0, count)
  for (const column of chosen) result[column] = random() < 0.5 ? size : -size
  return result
}

/** Treatments of log-odds `level` + u, about half of the rows. */
function draw(
  level: Float64Array,
  hidden: Float64Array,
  { onTreatment }: Strength,
  random: Random,
): Float64Array {
  const mean = level.reduce((sum, value) => sum + value, 0) / level.length
  return level.map((value, row) =>
    random() < 1 / (1 + Math.exp(mean - value - onTreatment * hidden[row]!)) ? 1 : 0,
  )
}

function rowsOf({ rows, columns, data }: Matrix): Float64Array[] {
  return Array.from({ length: rows }, (_, row) => data.subarray(row * columns, (row + 1) * columns))
}
