import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../eventually.testing.ts'
import { emptyHistogram, fromCumulative, quantileOf, sumHistograms, totalOf } from './histogram.ts'

test('quantiles are interpolated within their bucket, as histogram_quantile does', () => {
  const histogram = { upperBoundsMs: [10, 20, 40], counts: [5, 5, 0, 0] }
  assert.equal(quantileOf(histogram, 0.25), 5)
  assert.equal(quantileOf(histogram, 0.5), 10)
  assert.equal(quantileOf(histogram, 0.75), 15)
  assert.equal(quantileOf(histogram, 1), 20)
})

test('a quantile above all bounds is the highest bound; of nothing there is none', () => {
  assert.equal(quantileOf({ upperBoundsMs: [10], counts: [1, 9] }, 0.95), 10)
  assert.equal(quantileOf({ upperBoundsMs: [10], counts: [0, 0] }, 0.5), undefined)
  assert.equal(quantileOf(emptyHistogram, 0.5), undefined)
})

test('quantiles rise with q and lie within the bounds, for any counts', () => {
  const random = seededRandom(4)
  for (let round = 0; round < 500; round += 1) {
    const upperBoundsMs = [1, 2, 5, 10, 20].slice(0, 1 + Math.floor(random() * 5))
    const counts = [...upperBoundsMs, 0].map(() => (random() < 0.4 ? 0 : Math.floor(random() * 100)))
    if (totalOf({ upperBoundsMs, counts }) === 0) continue
    let last = 0
    for (let q = 0; q <= 1; q += 0.05) {
      const quantile = quantileOf({ upperBoundsMs, counts }, q) ?? Number.NaN
      assert.ok(
        quantile >= last && quantile <= (upperBoundsMs.at(-1) ?? 0),
        `q ${q} of ${counts}: ${quantile}`,
      )
      last = quantile
    }
  }
})

test('sums keep the bounds that all share and every count', () => {
  const sum = sumHistograms([
    { upperBoundsMs: [1, 5, 10], counts: [1, 2, 3, 4] },
    { upperBoundsMs: [2, 5, 10, 50], counts: [10, 20, 30, 40, 50] },
    { upperBoundsMs: [7], counts: [0, 0] },
  ])
  assert.deepEqual(sum, { upperBoundsMs: [5, 10], counts: [33, 33, 94] })
  assert.deepEqual(sumHistograms([]), emptyHistogram)
  assert.deepEqual(sumHistograms([{ upperBoundsMs: [1], counts: [0, 0] }]), {
    upperBoundsMs: [1],
    counts: [0, 0],
  })
  assert.deepEqual(
    sumHistograms([
      { upperBoundsMs: [1], counts: [1, 1] },
      { upperBoundsMs: [2], counts: [1, 1] },
    ]),
    { upperBoundsMs: [], counts: [4] },
  )
})

test('cumulative buckets in any order become counts of their own', () => {
  const buckets = [
    { le: Number.POSITIVE_INFINITY, count: 9 },
    { le: 5, count: 7 },
    { le: 1, count: 3 },
  ]
  assert.deepEqual(fromCumulative(buckets), { upperBoundsMs: [1, 5], counts: [3, 4, 2] })
  assert.deepEqual(fromCumulative([{ le: 1, count: 3 }]), { upperBoundsMs: [1], counts: [3, 0] })
  assert.deepEqual(fromCumulative([]), emptyHistogram)
})
