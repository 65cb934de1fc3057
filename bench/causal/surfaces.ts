import { readFileSync } from 'node:fs'
import { emptyMatrix, type Matrix } from '../../services/meta-controller/analysis/causal/matrix.ts'
import { normalVariate, type Random } from '../../services/platform/statistics/random.ts'

/** The covariates of the Infant Health and Development Program and who was treated, made observational as Hill 2011 did. */
export interface Infants {
  /** A column of ones first; the six numeric columns are scaled; `first` is 1 or 2. */
  readonly x: Matrix
  readonly treated: Float64Array
}

const numeric = ['bw', 'b.head', 'preterm', 'birth.o', 'nnhealth', 'momage']
const others = [
  'sex', 'twin', 'b.marr', 'mom.lths', 'mom.hs', 'mom.scoll', 'cig', 'first', 'booze', 'drugs', 'work.dur',
  'prenatal', 'site1', 'site2', 'site3', 'site4', 'site5', 'site6', 'site7',
] // biome-ignore format: names in the order of the generator

/**
 * Reads `sim.csv` as EconML's `econml/data/dgps.py` does: treated children of mothers who are not white are left out, the
 * numeric columns are scaled by their deviation over n, `first` becomes 1 or 2, a column of ones comes first.
 */
export function readInfants(file: string): Infants {
  const [header = '', ...lines] = readFileSync(file, 'utf8').trim().split(/\r?\n/)
  const names = header.split(',').map((name) => name.trim().replaceAll('"', ''))
  const place = (name: string) => {
    const index = names.indexOf(name)
    if (index < 0) throw new Error(`${file} has no column ${name}`)
    return index
  }
  const rows = lines
    .map((line) => line.split(',').map(Number))
    .filter((row) => !(row[place('treat')] === 1 && row[place('momwhite')] === 0))
  const columns = [...numeric, ...others].map((name) => {
    const values = Float64Array.from(rows, (row) => row[place(name)]!)
    if (name === 'first') return values.map((value) => value + 1)
    return numeric.includes(name) ? standardised(values) : values
  })
  const x = emptyMatrix(rows.length, columns.length + 1)
  for (let row = 0; row < rows.length; row++) {
    x.data[row * x.columns] = 1
    columns.forEach((values, column) => {
      x.data[row * x.columns + column + 1] = values[row]!
    })
  }
  return { x, treated: Float64Array.from(rows, (row) => row[place('treat')]!) }
}

function standardised(values: Float64Array): Float64Array {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
  return values.map((value) => (value - mean) / Math.sqrt(variance))
}

/** Outcomes of which both sides are known. */
export interface World {
  readonly x: Matrix
  readonly treated: Float64Array
  readonly y: Float64Array
  /** Expected outcome of each row untreated and treated. */
  readonly untreatedMean: Float64Array
  readonly treatedMean: Float64Array
}

/** Response surface A: linear, the effect is 4 for all. */
export function surfaceA({ x, treated }: Infants, random: Random): World {
  const beta = drawCoefficients(x.columns, [0, 1, 2, 3, 4], [0.5, 0.2, 0.15, 0.1, 0.05], random)
  const untreatedMean = product(x, beta, 0)
  return observed(
    x,
    treated,
    untreatedMean,
    untreatedMean.map((value) => value + 4),
    random,
  )
}

/** Response surface B: exponential for the untreated, linear for the treated, the average effect on the treated is 4. */
export function surfaceB({ x, treated }: Infants, random: Random): World {
  const beta = drawCoefficients(x.columns, [0, 0.1, 0.2, 0.3, 0.4], [0.6, 0.1, 0.1, 0.1, 0.1], random)
  const linear = product(x, beta, 0)
  const untreatedMean = product(x, beta, 0.5).map(Math.exp)
  let sum = 0
  let count = 0
  for (let row = 0; row < treated.length; row++) {
    if (treated[row] !== 1) continue
    sum += linear[row]! - untreatedMean[row]!
    count++
  }
  const omega = sum / count - 4
  return observed(
    x,
    treated,
    untreatedMean,
    linear.map((value) => value - omega),
    random,
  )
}

function drawCoefficients(
  count: number,
  values: readonly number[],
  chances: readonly number[],
  random: Random,
) {
  return Float64Array.from({ length: count }, () => {
    let left = random()
    for (let index = 0; index < values.length; index++) {
      left -= chances[index]!
      if (left < 0) return values[index]!
    }
    return values.at(-1)!
  })
}

/** (X + offset)β, the offset being for all columns but the first. */
function product(x: Matrix, beta: Float64Array, offset: number): Float64Array {
  return Float64Array.from({ length: x.rows }, (_, row) => {
    let sum = 0
    for (let column = 0; column < x.columns; column++)
      sum += (x.data[row * x.columns + column]! + (column > 0 ? offset : 0)) * beta[column]!
    return sum
  })
}

function observed(
  x: Matrix,
  treated: Float64Array,
  untreatedMean: Float64Array,
  treatedMean: Float64Array,
  random: Random,
): World {
  const y = treated.map((t, row) => (t === 1 ? treatedMean : untreatedMean)[row]! + normalVariate(random))
  return { x, treated, y, untreatedMean, treatedMean }
}
