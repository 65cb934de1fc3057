/** A dense matrix, row after row. */
export interface Matrix {
  readonly rows: number
  readonly columns: number
  readonly data: Float64Array
}

/** Zeros. */
export function emptyMatrix(rows: number, columns: number): Matrix {
  return { rows, columns, data: new Float64Array(rows * columns) }
}

/** From a list of rows that are equally long; `columns` serves for an empty list. */
export function matrixOf(rows: readonly ArrayLike<number>[], columns = rows[0]?.length ?? 0): Matrix {
  const matrix = emptyMatrix(rows.length, columns)
  for (let row = 0; row < rows.length; row++)
    for (let column = 0; column < columns; column++) matrix.data[row * columns + column] = rows[row]![column]!
  return matrix
}

/** The rows of those indices, in their order. */
export function rowsOf(matrix: Matrix, indices: ArrayLike<number>): Matrix {
  const { columns, data } = matrix
  const result = emptyMatrix(indices.length, columns)
  for (let row = 0; row < indices.length; row++) {
    const start = indices[row]! * columns
    result.data.set(data.subarray(start, start + columns), row * columns)
  }
  return result
}

/** The values of those indices, in their order. */
export function pick(values: ArrayLike<number>, indices: ArrayLike<number>): Float64Array {
  const result = new Float64Array(indices.length)
  for (let index = 0; index < indices.length; index++) result[index] = values[indices[index]!]!
  return result
}

/** The matrix with one more column at its end. */
export function withColumn(matrix: Matrix, added: ArrayLike<number>): Matrix {
  const { rows, columns } = matrix
  const result = emptyMatrix(rows, columns + 1)
  for (let row = 0; row < rows; row++) {
    result.data.set(matrix.data.subarray(row * columns, (row + 1) * columns), row * (columns + 1))
    result.data[row * (columns + 1) + columns] = added[row]!
  }
  return result
}

/** X'WX, with weights 1 where none are given; symmetric, of columns × columns. */
export function gramOf(x: Matrix, weights?: ArrayLike<number>): Float64Array {
  const { rows, columns, data } = x
  const gram = new Float64Array(columns * columns)
  for (let row = 0; row < rows; row++) {
    const start = row * columns
    const weight = weights === undefined ? 1 : weights[row]!
    for (let i = 0; i < columns; i++) {
      const value = weight * data[start + i]!
      if (value === 0) continue
      const to = i * columns
      for (let j = 0; j <= i; j++) gram[to + j]! += value * data[start + j]!
    }
  }
  for (let i = 0; i < columns; i++) for (let j = 0; j < i; j++) gram[j * columns + i] = gram[i * columns + j]!
  return gram
}

/** X'v. */
export function transposedTimes(x: Matrix, values: ArrayLike<number>): Float64Array {
  const { rows, columns, data } = x
  const result = new Float64Array(columns)
  for (let row = 0; row < rows; row++) {
    const value = values[row]!
    if (value === 0) continue
    const start = row * columns
    for (let column = 0; column < columns; column++) result[column]! += value * data[start + column]!
  }
  return result
}

/** Xβ + intercept. */
export function times(x: Matrix, coefficients: ArrayLike<number>, intercept = 0): Float64Array {
  const { rows, columns, data } = x
  const result = new Float64Array(rows)
  for (let row = 0; row < rows; row++) {
    const start = row * columns
    let sum = intercept
    for (let column = 0; column < columns; column++) sum += data[start + column]! * coefficients[column]!
    result[row] = sum
  }
  return result
}

/**
 * The lower triangle L of A = LL' (Cholesky), A being symmetric and positive definite of `size` × `size`. A pivot that is not
 * positive is raised to a trillionth of the largest diagonal value, so that a singular A gives a regularised answer and never NaN.
 * Example: choleskyOf([4, 2, 2, 5], 2) is [2, 0, 1, 2].
 */
export function choleskyOf(a: ArrayLike<number>, size: number): Float64Array {
  const l = new Float64Array(size * size)
  let largest = 0
  for (let i = 0; i < size; i++) largest = Math.max(largest, a[i * size + i]!)
  const least = Math.max(largest * 1e-12, 1e-300)
  for (let i = 0; i < size; i++) {
    const rowI = i * size
    for (let j = 0; j < i; j++) l[rowI + j] = (a[rowI + j]! - dot(l, rowI, j * size, j)) / l[j * size + j]!
    l[rowI + i] = Math.sqrt(Math.max(a[rowI + i]! - dot(l, rowI, rowI, i), least))
  }
  return l
}

/** Sum of products of two runs of the same array; four sums at once, which is what the inner loop of Cholesky lives by. */
function dot(l: Float64Array, from: number, other: number, length: number): number {
  let a = 0
  let b = 0
  let c = 0
  let d = 0
  let k = 0
  for (; k + 3 < length; k += 4) {
    a += l[from + k]! * l[other + k]!
    b += l[from + k + 1]! * l[other + k + 1]!
    c += l[from + k + 2]! * l[other + k + 2]!
    d += l[from + k + 3]! * l[other + k + 3]!
  }
  for (; k < length; k++) a += l[from + k]! * l[other + k]!
  return a + b + c + d
}

/** Solves LL'x = b by the triangle that `choleskyOf` gives. */
export function solveCholesky(l: Float64Array, b: ArrayLike<number>): Float64Array {
  const size = b.length
  const x = Float64Array.from(b)
  for (let i = 0; i < size; i++) {
    let sum = x[i]!
    for (let k = 0; k < i; k++) sum -= l[i * size + k]! * x[k]!
    x[i] = sum / l[i * size + i]!
  }
  for (let i = size - 1; i >= 0; i--) {
    const value = x[i]! / l[i * size + i]!
    x[i] = value
    for (let k = 0; k < i; k++) x[k]! -= l[i * size + k]! * value
  }
  return x
}

/** tr((LL')⁻¹B) of a symmetric B: the degrees of freedom of a ridge fit. */
export function traceOfSolved(l: Float64Array, b: Float64Array, size: number): number {
  let trace = 0
  for (let column = 0; column < size; column++)
    trace += solveCholesky(l, b.subarray(column * size, (column + 1) * size))[column]!
  return trace
}
