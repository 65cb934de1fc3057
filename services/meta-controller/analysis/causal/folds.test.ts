import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../../platform/statistics/random.ts'
import { blockFolds, splitByFold, stratifiedFolds } from './folds.ts'

test('each fold has the same share of treated rows, to one row', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed)
    const treated = Array.from({ length: 53 + seed }, () => Number(random() < 0.3))
    const folds = stratifiedFolds(treated, 5, random)
    const counts = [0, 1, 2, 3, 4].map(
      (fold) => treated.filter((one, row) => one === 1 && folds[row] === fold).length,
    )
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1)
  }
})

test('blocks stay whole and in the order of time', () => {
  assert.deepEqual([...blockFolds([7, 7, 3, 3, 9, 9, 1, 1], 2)], [0, 0, 0, 0, 1, 1, 1, 1])
  assert.deepEqual([...blockFolds([1, 2], 5)], [0, 1])
  assert.deepEqual([...blockFolds([], 5)], [])
})

test('a fold and the rest are all rows', () => {
  assert.deepEqual(splitByFold(Uint8Array.of(0, 1, 0), 0), { inside: [0, 2], outside: [1] })
})
