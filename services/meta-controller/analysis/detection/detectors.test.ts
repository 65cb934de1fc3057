import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalVariate, seededRandom } from '../../../platform/statistics/random.ts'
import { createContextSurprise } from './context.ts'
import { createCusum } from './cusum.ts'
import type { Detector } from './detector.ts'
import { History } from './history.ts'
import { createNeighbourDistance } from './neighbours.ts'
import { createRangeExcess } from './range-excess.ts'
import { createRelativeEntropy } from './relative-entropy.ts'
import { createSameTimeDistance } from './same-time.ts'
import { SortedWindow } from './sorted-window.ts'

const stepMs = 300_000
const neighbourOptions = { length: 5, neighbours: 3, memory: 400, apart: 5 }

const detectors: Readonly<Record<string, () => Detector>> = {
  neighbours: () => createNeighbourDistance(neighbourOptions),
  'same time': () => createSameTimeDistance({ length: 10 }),
  'range excess': createRangeExcess,
  cusum: createCusum,
  'relative entropy': createRelativeEntropy,
  context: createContextSurprise,
}

function scoresOf(detector: Detector, values: readonly number[]): number[] {
  return values.map((value, index) => detector.update(value, index * stepMs))
}

const cycle = (length: number, ...values: number[]) =>
  Array.from({ length }, (_, index) => values[index % values.length] as number)

test('a stretch that came before is at distance 0, a new one is far', () => {
  const scores = scoresOf(createNeighbourDistance(neighbourOptions), [...cycle(500, 1, 2), 9])
  assert.ok(Number.isNaN(scores[150]))
  assert.equal(scores[400], 0)
  assert.ok(scores[500]! > 7)
})

test('running distances equal those computed afresh, whatever passed through', () => {
  const random = seededRandom(1)
  const values = Array.from(
    { length: 1200 },
    (_, index) => (index % 97 === 0 ? 1e9 : 1) * normalVariate(random),
  )
  const { length, neighbours, memory, apart } = neighbourOptions
  const scores = scoresOf(createNeighbourDistance(neighbourOptions), values)
  for (let end = 900; end < values.length; end += 7) {
    const distances: number[] = []
    for (let lag = apart + 1; lag <= Math.min(memory, end + 1 - length); lag++) {
      let sum = 0
      for (let back = 0; back < length; back++) sum += (values[end - back]! - values[end - back - lag]!) ** 2
      distances.push(Math.sqrt(sum))
    }
    const nearest = distances.sort((a, b) => a - b).slice(0, neighbours)
    const expected = nearest.reduce((sum, each) => sum + each, 0) / neighbours
    assert.ok(
      Math.abs(scores[end]! - expected) <= 1e-3 * expected,
      `${scores[end]} at ${end}, not ${expected}`,
    )
  }
})

test('a daily course that repeats scores 0 from the second day on, a missing noon does not', () => {
  const day = Array.from({ length: 288 }, (_, slot) => Math.round(100 * Math.sin((slot / 288) * 2 * Math.PI)))
  const days = [...day, ...day, ...day]
  days[2 * 288 + 72] = 0
  const scores = scoresOf(createSameTimeDistance({ length: 10 }), days)
  assert.ok(Number.isNaN(scores[100]))
  assert.ok(scores.slice(320, 2 * 288 + 72).every((score) => score === 0))
  assert.ok(scores[2 * 288 + 72]! > 90)
})

test('sampling finer than 30 s or coarser than 6 h has no days to compare', () => {
  for (const slotMs of [1000, 7 * 3_600_000, 0]) {
    const detector = createSameTimeDistance({ length: 10 })
    for (let index = 0; index < 4000; index++)
      assert.ok(Number.isNaN(detector.update(index % 7, index * slotMs)))
  }
})

test('leaving the range scores by the range seen', () => {
  assert.deepEqual(scoresOf(createRangeExcess(), [0, 10, 15, 15, -15]), [0, 0, 0.5, 0, 1])
})

test('staying on one side of the median adds up', () => {
  assert.equal(scoresOf(createCusum(), [1, 1, 1, 1, 100]).at(-1), 5.5)
  const random = seededRandom(2)
  const values = Array.from({ length: 600 }, (_, index) => normalVariate(random) + (index >= 500 ? 1.5 : 0))
  const scores = scoresOf(createCusum(), values)
  assert.ok(Math.max(...scores.slice(100, 500)) < 15)
  assert.ok(scores[599]! > 30)
})

test('a histogram that fits none before is told once or twice', () => {
  const random = seededRandom(3)
  const values = Array.from({ length: 800 }, (_, index) => random() + (index >= 400 ? 2 : 0))
  const scores = scoresOf(createRelativeEntropy(), [0, 4, ...values])
  assert.equal(scores[300], 0)
  assert.ok(scores.slice(402, 470).includes(1))
  assert.equal(scores[790], 0)
})

test('a value out of turn surprises', () => {
  const scores = scoresOf(createContextSurprise(), [...cycle(300, 1, 2, 3), 1, 2, 2])
  assert.ok(Number.isNaN(scores[5]))
  assert.ok(scores[299]! < 0.1)
  assert.ok(scores[302]! > 0.5)
})

for (const [name, create] of Object.entries(detectors)) {
  test(`${name}: nothing is unusual about a constant`, () => {
    const scores = scoresOf(create(), cycle(3000, 5)).slice(300)
    assert.ok(scores.every((score) => Number.isNaN(score) || score < 0.1))
  })

  test(`${name}: extreme values and times out of order give numbers`, () => {
    const random = seededRandom(4)
    const detector = create()
    for (let index = 0; index < 3000; index++) {
      const value = index % 50 === 0 ? 1e150 * Math.sign(random() - 0.5) : random() < 0.5 ? 0 : 1e-150
      const score = detector.update(value, random() * 1e12)
      assert.ok(Number.isNaN(score) || (Number.isFinite(score) && score >= 0), `${score} at ${index}`)
    }
  })
}

test('a sorted window keeps the last values in order', () => {
  const random = seededRandom(5)
  const window = new SortedWindow(300)
  const values: number[] = []
  assert.ok(Number.isNaN(window.quantile(0.5)) && Number.isNaN(window.at(0)))
  for (let index = 0; index < 2000; index++) {
    const value = Math.floor(random() * 50)
    window.push(value)
    values.push(value)
    const last = values.slice(-300).sort((a, b) => a - b)
    assert.equal(window.size, last.length)
    assert.equal(window.at(last.length - 1), last.at(-1))
    assert.equal(window.countBelow(20), last.filter((each) => each < 20).length)
    assert.equal(window.quantile(0), last[0])
  }
})

test('a history keeps its last values in one piece', () => {
  const history = new History(10)
  for (let value = 0; value < 95; value++) history.push(value)
  assert.equal(history.seen, 95)
  assert.equal(history.values[history.end - 1], 94)
  assert.equal(history.values[history.end - 10], 85)
  assert.equal(history.squareOf(4, 3), 36)
})
