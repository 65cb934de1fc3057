import assert from 'node:assert/strict'
import { test } from 'node:test'
import { slicesOf } from './slices.ts'

test('runs are cut into slices in the order in which they were measured, and no sample is lost', () => {
  const before = { A: Array.from({ length: 20 }, (_, index) => index) }
  const after = { A: [5, 7] }
  const slices = slicesOf('A', [
    { before, after, changedFirst: false },
    { before, after, changedFirst: true },
  ])
  const sides = slices.map(
    ({ round, changed, first }) => `${round}${changed ? 'c' : 'b'}${first ? '1' : '2'}`,
  )
  assert.deepEqual([...new Set(sides)], ['0b1', '0c2', '1c1', '1b2'])
  const ofBefore = slices.filter((slice) => !slice.changed && slice.round === 0)
  assert.equal(ofBefore.length, 10)
  assert.deepEqual(
    ofBefore.map((slice) => slice.place),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  )
  const sum = ofBefore.reduce((total, { samples, meanMs }) => total + samples * meanMs, 0)
  assert.equal(sum, 190)
  assert.deepEqual(
    slices
      .filter((slice) => slice.changed && slice.round === 0)
      .map(({ samples, meanMs }) => [samples, meanMs]),
    [
      [1, 5],
      [1, 7],
    ],
  )
})

test('an operation that was not measured has no slices', () => {
  assert.deepEqual(slicesOf('B', [{ before: { A: [1] }, after: {}, changedFirst: false }]), [])
})
