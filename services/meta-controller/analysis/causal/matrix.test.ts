import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalVariate, seededRandom } from '../../../platform/statistics/random.ts'
import {
  choleskyOf,
  gramOf,
  matrixOf,
  rowsOf,
  solveCholesky,
  times,
  traceOfSolved,
  transposedTimes,
  withColumn,
} from './matrix.ts'

test('a positive definite matrix has its triangle', () => {
  assert.deepEqual([...choleskyOf([4, 2, 2, 5], 2)], [2, 0, 1, 2])
})

test('a solved system gives back its right side, for twenty random systems', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed)
    const size = 1 + (seed % 9)
    const x = matrixOf(
      Array.from({ length: size + 5 }, () => Array.from({ length: size }, () => normalVariate(random))),
    )
    const gram = gramOf(x)
    const b = Float64Array.from({ length: size }, () => normalVariate(random))
    const l = choleskyOf(gram, size)
    const solution = solveCholesky(l, b)
    for (let i = 0; i < size; i++) {
      let sum = 0
      for (let j = 0; j < size; j++) sum += gram[i * size + j]! * solution[j]!
      assert.ok(Math.abs(sum - b[i]!) < 1e-8, `seed ${seed}`)
    }
    assert.ok(Math.abs(traceOfSolved(l, gram, size) - size) < 1e-8)
  }
})

test('a singular matrix gives finite numbers', () => {
  const solution = solveCholesky(choleskyOf([1, 1, 1, 1], 2), [1, 1])
  assert.ok(solution.every(Number.isFinite))
  assert.ok(solveCholesky(choleskyOf([0, 0, 0, 0], 2), [0, 0]).every(Number.isFinite))
})

test('rows, columns and products are those of the definition', () => {
  const x = matrixOf([
    [1, 2],
    [3, 4],
    [5, 6],
  ])
  assert.deepEqual([...rowsOf(x, [2, 0]).data], [5, 6, 1, 2])
  assert.deepEqual([...withColumn(x, [7, 8, 9]).data], [1, 2, 7, 3, 4, 8, 5, 6, 9])
  assert.deepEqual([...transposedTimes(x, [1, 0, 1])], [6, 8])
  assert.deepEqual([...times(x, [1, 1], 10)], [13, 17, 21])
  assert.deepEqual([...gramOf(x, [1, 0, 2])], [51, 62, 62, 76])
})
