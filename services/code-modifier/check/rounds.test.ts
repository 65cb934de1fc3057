import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalVariate, seededRandom } from '../../platform/statistics/random.ts'
import { changeOverRounds } from './rounds.ts'

const round = (ratio: number) => ({
  before: { A: [10, 10], B: [1] },
  after: { A: [10 * ratio], B: [ratio] },
})

test('the interval is that of the pairs: ratios 1.1, 1.2, 1.3 give 0.20 (−0.03, 0.47)', () => {
  const change = changeOverRounds([1.1, 1.2, 1.3].map(round))
  assert.deepEqual(
    [change.estimate, change.low, change.high].map((value) => Number(value.toFixed(2))),
    [0.2, -0.03, 0.47],
  )
})

test('one round says how much, and nothing of how sure that is; none says nothing', () => {
  assert.ok(Math.abs(changeOverRounds([round(1.5)]).estimate - 0.5) < 1e-12)
  assert.equal(changeOverRounds([round(1.5)]).low, -1)
  assert.deepEqual(changeOverRounds([]), { estimate: 0, low: -1, high: Number.POSITIVE_INFINITY })
})

test('operations count by their time, and one that took none does no harm', () => {
  const mixed = { before: { A: [9], B: [1], C: [0] }, after: { A: [18], B: [1], C: [0] } }
  assert.ok(Math.abs(changeOverRounds([mixed]).estimate - 0.9) < 1e-12)
  assert.equal(changeOverRounds([{ before: { A: [0] }, after: { A: [0] } }]).estimate, 0)
})

test('rounds of equal code on a machine whose moments differ by a tenth are called worse in one of forty cases', () => {
  const random = seededRandom(20_261_122)
  const cases = 2000
  let worse = 0
  for (let each = 0; each < cases; each++) {
    const rounds = Array.from({ length: 5 }, () => round(Math.exp(0.1 * normalVariate(random))))
    if (changeOverRounds(rounds).low > 0) worse++
  }
  assert.ok(worse / cases < 0.035, `${worse} of ${cases}`)
})
