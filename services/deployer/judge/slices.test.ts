import assert from 'node:assert/strict'
import { test } from 'node:test'
import { poissonVariate, seededRandom } from '../../platform/statistics/random.ts'
import { steady } from './burst-filter.ts'
import { beginSlices, findSlices, listedByEbh, lnMeanEvidence, maxSlices, observeSlices } from './slices.ts'
import { isError } from './slot.ts'

const ln = (values: readonly number[]) => values.map(Math.log)

test('the documented example of the list holds', () => {
  assert.equal(listedByEbh(ln([400, 150, 1]), 0.01), 2)
  assert.equal(listedByEbh(ln([400, 149, 1]), 0.01), 1)
  assert.equal(listedByEbh(ln([299, 1, 1]), 0.01), 0)
  assert.equal(listedByEbh([], 0.01), 0)
})

const methods = Array.from({ length: 10 }, (_, index) => `/shop.v1.Shop/Get${index}`)

/** Ten RPCs of ten requests a second on each arm; `ratio` is that of the first one's errors. */
function after(seconds: number, ratio: number, seed = 1) {
  const random = seededRandom(seed)
  const arm = (factor: number) => ({
    requests: 1000,
    errors: 0,
    refusals: 0,
    latencyCounts: [],
    methods: Object.fromEntries(
      methods.map((method, index) => {
        const failed = poissonVariate(random, index === 0 ? factor : 1)
        return [method, { requests: 100, byStatus: { 0: 100 - failed, 14: failed, 5: 3 } }]
      }),
    ),
  })
  let slices = beginSlices(isError, 3, steady)
  for (let second = 0; second < seconds; second++)
    slices = observeSlices(slices, { stable: arm(1), canary: arm(ratio) })
  return slices
}

test('what goes wrong in one RPC of ten is found there and named, and the others are not', () => {
  const slices = after(30, 8)
  const listed = findSlices(slices).filter(({ isListed }) => isListed)
  assert.deepEqual(
    listed.map(({ method, status }) => [method, status]),
    [[methods[0], 14]],
  )
  assert.ok(lnMeanEvidence(slices) > 5)
})

test('of equal versions hardly ever one is on the list', () => {
  let wrong = 0
  for (let seed = 0; seed < 100; seed++) {
    if (findSlices(after(60, 1, seed)).some(({ isListed }) => isListed)) wrong++
  }
  assert.ok(wrong <= 1, `${wrong} of 100`)
})

test('what made a slice known is not evidence, refusals are not errors, and slices are bounded', () => {
  assert.ok(Math.abs(lnMeanEvidence(after(1, 100))) < 1e-9)
  assert.ok(findSlices(after(5, 1)).every(({ status }) => status === 14))
  const arm = {
    requests: 40,
    errors: 40,
    refusals: 0,
    latencyCounts: [],
    methods: Object.fromEntries(
      Array.from({ length: 40 }, (_, index) => [`/m${index}`, { requests: 1, byStatus: { 14: 1 } }]),
    ),
  }
  const slices = observeSlices(beginSlices(isError, 3, steady), { stable: arm, canary: arm })
  assert.equal(slices.slices.length, maxSlices)
})

test('telemetry that does not tell RPCs apart gives no slices and no evidence', () => {
  const arm = { requests: 10, errors: 5, refusals: 0, latencyCounts: [] }
  const slices = observeSlices(beginSlices(isError, 3, steady), { stable: arm, canary: arm })
  assert.deepEqual(findSlices(slices), [])
  assert.equal(lnMeanEvidence(slices), 0)
})
