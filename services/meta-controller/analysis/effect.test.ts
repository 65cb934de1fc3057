import assert from 'node:assert/strict'
import { test } from 'node:test'
import { effectOfBenchmark, effectOfExperience, probabilityOfHarm, unknownEffect } from './effect.ts'

const comparison = {
  samplesBefore: 100,
  samplesAfter: 100,
  meanBeforeMs: 1,
  meanAfterMs: 1,
  relativeLow: -0.1,
  relativeHigh: 0.1,
}

test('operations count by their share of the time before', () => {
  const effect = effectOfBenchmark([
    {
      ...comparison,
      operation: 'a',
      meanBeforeMs: 9,
      meanAfterMs: 4.5,
      relativeLow: -0.6,
      relativeHigh: -0.4,
    },
    { ...comparison, operation: 'b' },
  ])
  assert.ok(Math.abs(effect.estimate - -0.45) < 1e-12)
  assert.ok(Math.abs(effect.low - -0.55) < 1e-12)
  assert.ok(Math.abs(effect.high - -0.35) < 1e-12)
  assert.equal(effect.observations, 400)
})

test('no benchmark and no experience is an unknown effect, which may harm as well as help', () => {
  assert.deepEqual(effectOfBenchmark([]), unknownEffect)
  assert.deepEqual(effectOfExperience([]), unknownEffect)
  assert.equal(probabilityOfHarm(unknownEffect), 0.5)
})

test('one canary says little, several give a t-interval', () => {
  assert.equal(effectOfExperience([-0.4]).high, 1)
  const effect = effectOfExperience([-0.4, -0.5, -0.6])
  assert.ok(Math.abs(effect.estimate - -0.5) < 1e-12)
  // mean ± 4.303 × 0.1 / √3
  assert.ok(Math.abs(effect.low - (-0.5 - 0.24843)) < 1e-4)
})

test('values that are not numbers take no part', () => {
  assert.equal(effectOfExperience([Number.NaN, Number.POSITIVE_INFINITY]).origin, 'none')
})

test('the probability of harm follows the interval', () => {
  assert.ok(
    Math.abs(
      probabilityOfHarm({ estimate: -0.15, low: -0.35, high: 0.05, origin: 'benchmark', observations: 9 }) -
        0.025,
    ) < 1e-3,
  )
  assert.ok(
    probabilityOfHarm({ estimate: 0.3, low: 0.2, high: 0.4, origin: 'benchmark', observations: 9 }) > 0.999,
  )
})
