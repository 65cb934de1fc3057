import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exponentialVariate, normalVariate, seededRandom } from '../../../platform/statistics/random.ts'
import { cautiousFit, plainFit, scoreFit, TailCalibrator, type TailFit } from './tail.ts'

test('in the body the share of scores at least so high', () => {
  const tail = new TailCalibrator()
  for (let score = 1; score <= 100; score++) tail.update(score)
  assert.equal(tail.pValueOf(50.5), 0.5)
  assert.equal(tail.pValueOf(0), 1)
})

const draws: Readonly<Record<string, (random: () => number) => number>> = {
  normal: normalVariate,
  exponential: (random) => exponentialVariate(random, 1),
  uniform: (random) => random(),
  'Pareto of shape 1/3': (random) => (1 - random()) ** (-1 / 3),
}

for (const [name, draw] of Object.entries(draws)) {
  test(`p-values of ${name} draws are as rare as they say`, () => {
    const random = seededRandom(name)
    for (const fit of [plainFit, cautiousFit]) {
      const tail = new TailCalibrator(fit)
      const rarer = new Map([0.1, 0.01, 0.001].map((level) => [level, 0]))
      const count = 30_000
      for (let index = 0; index < count; index++) {
        const pValue = tail.update(draw(random))
        for (const [level, seen] of rarer) if (pValue <= level) rarer.set(level, seen + 1)
      }
      for (const [level, seen] of rarer) {
        const spread = 4 * Math.sqrt(count * level)
        assert.ok(seen <= 1.3 * count * level + spread, `${seen} below ${level}`)
        if (fit === plainFit) assert.ok(seen >= 0.6 * count * level - spread, `only ${seen} below ${level}`)
      }
    }
  })
}

test('scores that were all equal: the first above is rare, for the cautious no rarer than their number says', () => {
  const probability = (fit: TailFit) => {
    const tail = new TailCalibrator(fit)
    for (let index = 0; index < 499; index++) tail.update(0)
    return tail.update(1)
  }
  assert.equal(probability(plainFit), 1e-12)
  assert.equal(probability(cautiousFit), 1 / 500)
  assert.equal(probability(scoreFit), 1e-12)
})

test('nothing is unusual while there are few scores', () => {
  const tail = new TailCalibrator()
  for (let index = 0; index < plainFit.leastScores; index++) assert.equal(tail.update(10 ** index), 1)
  assert.ok(tail.update(1e60) < 1)
})

test('p-values fall as scores rise', () => {
  const random = seededRandom(7)
  const tail = new TailCalibrator()
  for (let index = 0; index < 2000; index++) tail.update(normalVariate(random))
  let last = 1
  for (let score = -5; score < 20; score += 0.1) {
    const pValue = tail.pValueOf(score)
    assert.ok(pValue <= last && pValue > 0)
    last = pValue
  }
})
