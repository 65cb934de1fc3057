import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalVariate, seededRandom } from '../../../platform/statistics/random.ts'
import { matrixOf } from './matrix.ts'
import {
  biasBound,
  biasScaleOf,
  eValueOfRatio,
  eValues,
  observedStrengths,
  robustnessValue,
} from './sensitivity.ts'

test('the E-value of a ratio of 3.9 is 7.26, either way round', () => {
  assert.ok(Math.abs(eValueOfRatio(3.9) - 7.26) < 0.01)
  assert.ok(Math.abs(eValueOfRatio(1 / 3.9) - 7.26) < 0.01)
  assert.equal(eValueOfRatio(1), 1)
})

test('an effect whose interval has 0 needs no hidden cause to explain it away', () => {
  assert.equal(eValues(0.1, 0.2, 1).limit, 1)
  assert.ok(eValues(0.1, 0.2, 1).estimate > 1)
  assert.equal(eValues(1, 0.1, 0).estimate, 1)
})

test('a hidden cause as strong as the robustness value moves the effect just to 0', () => {
  assert.ok(Math.abs(robustnessValue({ scale: 1 }, 1) - 0.618) < 1e-3)
  for (const distance of [0.01, 0.3, 1, 5, 40]) {
    const value = robustnessValue({ scale: 2 }, distance)
    assert.ok(value > 0 && value < 1)
    assert.ok(Math.abs(biasBound({ scale: 2 }, value, value) - distance) < 1e-6 * distance)
  }
  assert.equal(robustnessValue({ scale: 2 }, 0), 0)
  assert.equal(robustnessValue({ scale: 0 }, 1), 1)
  assert.equal(robustnessValue({ scale: 1 }, Number.NaN), 0)
})

test('at even odds the scale of the bias is twice the unexplained deviation', () => {
  const sample = {
    x: matrixOf([[], [], [], []]),
    treated: Float64Array.of(0, 1, 0, 1),
    y: Float64Array.of(1, 1, -1, -1),
  }
  const none = new Float64Array(4)
  const { scale } = biasScaleOf(sample, { propensity: none.map(() => 0.5), untreated: none, treated: none })
  assert.equal(scale, 2)
})

test('observed covariates are as strong as they were made', () => {
  const random = seededRandom(1)
  const rows = Array.from({ length: 5000 }, () => [normalVariate(random), normalVariate(random), 1])
  const treated = Float64Array.from(rows, (row) => Number(random() < 1 / (1 + Math.exp(-1.5 * row[0]!))))
  const y = Float64Array.from(rows, (row) => row[1]! + normalVariate(random))
  const [first, second, constant] = observedStrengths({ x: matrixOf(rows), treated, y })
  assert.ok(first!.ofTreatment > 0.2 && first!.ofOutcome < 0.01)
  assert.ok(second!.ofTreatment < 0.01 && Math.abs(second!.ofOutcome - 0.5) < 0.05)
  assert.deepEqual([constant!.ofTreatment, constant!.ofOutcome], [0, 0])
})
