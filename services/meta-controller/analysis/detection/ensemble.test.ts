import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  normalVariate,
  poissonVariate,
  type Random,
  seededRandom,
} from '../../../platform/statistics/random.ts'
import { calibrated, createEnsemble, membersOf, type Tier } from './ensemble.ts'
import { createRangeExcess } from './range-excess.ts'

const stepMs = 300_000
const tiers: readonly Tier[] = ['full', 'fast']

/** Series of unlike kinds, each drawn anew. */
const kinds: Readonly<Record<string, (random: Random) => (index: number) => number>> = {
  noise: (random) => () => normalVariate(random),
  daily: (random) => (index) => Math.sin((index / 288) * 2 * Math.PI) + 0.1 * normalVariate(random),
  counts: (random) => () => poissonVariate(random, 2),
  walk: (random) => {
    let at = 0
    return () => {
      at += normalVariate(random)
      return at
    }
  },
  spikes: (random) => () => (random() < 0.01 ? 100 * random() : 1),
}

function scoresOf(tier: Tier, values: readonly number[], atMs: readonly number[]): number[] {
  const ensemble = createEnsemble(membersOf(tier))
  return values.map((value, index) => ensemble.update(value, atMs[index]!))
}

for (const tier of tiers) {
  for (const [kind, of] of Object.entries(kinds)) {
    test(`${tier}: the scores of a beginning are the beginning of the scores (${kind})`, () => {
      const random = seededRandom(`prefix ${tier} ${kind}`)
      const next = of(random)
      const values = Array.from({ length: 1500 }, (_, index) => next(index))
      // Times with jitter, gaps and steps back, as real files have them.
      const atMs = values.map((_, index) => (index + Math.floor(3 * random() * random() * random())) * stepMs)
      const whole = scoresOf(tier, values, atMs)
      for (const length of [1, 49, 51, 400, 1499]) {
        const future = values.slice(length).map(() => 1e6 * normalVariate(random))
        const other = scoresOf(tier, [...values.slice(0, length), ...future], atMs)
        assert.deepEqual(other.slice(0, length), whole.slice(0, length))
      }
    })
  }

  test(`${tier}: the same series gives the same scores, and a spike in a calm one the highest`, () => {
    const random = seededRandom(11)
    const values = Array.from({ length: 2000 }, () => 10 + normalVariate(random))
    values[1700] = 40
    const atMs = values.map((_, index) => index * stepMs)
    const scores = scoresOf(tier, values, atMs)
    assert.deepEqual(scoresOf(tier, values, atMs), scores)
    const highest = scores.slice(700).indexOf(Math.max(...scores.slice(700))) + 700
    assert.ok(highest >= 1700 && highest < 1745, `highest at ${highest}`)
  })

  test(`${tier}: a constant scores 0, and what leaves it is told`, () => {
    const values = new Array<number>(800).fill(3)
    const scores = scoresOf(
      tier,
      [...values, 4],
      [...values, 4].map((_, index) => index * stepMs),
    )
    assert.ok(scores.slice(0, 800).every((score) => score >= 0 && score < 0.5))
    assert.ok(scores[800]! > 3)
  })
}

test('values too large for their squares count as the largest', () => {
  const random = seededRandom(12)
  const ensemble = createEnsemble(membersOf('full'))
  for (let index = 0; index < 2000; index++) {
    const value = (random() - 0.5) * Number.MAX_VALUE
    assert.ok(Number.isFinite(ensemble.update(value, index)))
  }
})

test('a million values pass through the fast tier', () => {
  const random = seededRandom(13)
  const ensemble = createEnsemble(membersOf('fast'))
  let sum = 0
  for (let index = 0; index < 1e6; index++)
    sum += ensemble.update((index % 7) + 0.01 * random(), index * stepMs)
  assert.ok(Number.isFinite(sum) && sum > 0)
})

test('a calibrated score is half of the new one and half of what was', () => {
  const detector = calibrated(createRangeExcess())
  for (let index = 0; index < 100; index++) detector.update(index % 2, index)
  const first = detector.update(5, 100)
  assert.ok(first > 0)
  assert.ok(Math.abs(detector.update(0.5, 101) - first / 2) < 1e-9)
})
