import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalVariate, seededRandom } from '../../../platform/statistics/random.ts'
import { rankResources } from './resource.ts'

test('the service whose metric rose furthest beyond its usual range comes first, as in the example', () => {
  const ranked = rankResources(
    [
      { service: 'A', metric: 'cpu', values: [10, 12, 11, 13, 12, 90, 80] },
      { service: 'B', metric: 'cpu', values: [20, 22, 21, 23, 22, 24, 23] },
    ],
    4,
  )
  assert.deepEqual(
    ranked.map(({ service, score }) => [service, Number(score.toFixed(1))]),
    [
      ['A', 52.3],
      ['B', 1.7],
    ],
  )
})

test('a hog of processor or memory is found among twelve services, whatever the seed', () => {
  for (let seed = 0; seed < 50; seed++) {
    const random = seededRandom(seed)
    const guilty = seed % 12
    const metric = seed % 2 === 0 ? 'cpu' : 'memory'
    const series = Array.from({ length: 12 }, (_, index) => index).flatMap((index) =>
      ['cpu', 'memory'].map((name) => ({
        service: `service-${index}`,
        metric: name,
        values: Array.from({ length: 120 }, (_, slot) => {
          const fault = index === guilty && name === metric && slot >= 80 ? 25 : 0
          return 50 + fault + 2 * normalVariate(random)
        }),
      })),
    )
    assert.deepEqual(rankResources(series, 80).map(({ service, metric: worst }) => [service, worst])[0], [
      `service-${guilty}`,
      metric,
    ])
  }
})

test('what is constant, missing or not finite is not ranked', () => {
  const rank = (values: number[], onset: number) =>
    rankResources([{ service: 'A', metric: 'cpu', values }], onset)
  assert.deepEqual(rank([], 3), [])
  assert.deepEqual(rank([1], 0), [])
  assert.deepEqual(rank([5, 5, 5, 5, 6, 7, 8], 4), [])
  assert.deepEqual(rank([1, 2, 3, 4], 4), [])
  assert.deepEqual(rank([1, 2, 3, 4], Number.NaN), [])
  const holed = rank([1, Number.NaN, 3, 2, 9, Number.POSITIVE_INFINITY, 8], 4)
  assert.deepEqual(holed[0]?.score, 7)
})

test('a million values are ranked by those nearest to the onset', () => {
  const values = Array.from({ length: 1_000_000 }, (_, slot) => (slot % 7) + (slot >= 600_000 ? 100 : 0))
  const [first] = rankResources([{ service: 'A', metric: 'cpu', values }], 600_000)
  assert.ok(first!.score > 20)
})
