import assert from 'node:assert/strict'
import { test } from 'node:test'
import { binomialUpperTail } from './binomial.ts'
import { lnGamma } from './special-functions.ts'

function exactTail(atLeast: number, trials: number, probability: number): number {
  let sum = 0
  for (let k = atLeast; k <= trials; k++) {
    const logChoose = lnGamma(trials + 1) - lnGamma(k + 1) - lnGamma(trials - k + 1)
    sum += Math.exp(logChoose + k * Math.log(probability) + (trials - k) * Math.log1p(-probability))
  }
  return sum
}

test('the tail equals the sum of its terms', () => {
  for (const [atLeast, trials, probability] of [
    [2, 2, 0.5],
    [3, 10, 0.1],
    [60, 1000, 0.05],
    [200, 1000, 0.05],
    [1, 500, 0.001],
  ] as const) {
    const exact = exactTail(atLeast, trials, probability)
    assert.ok(Math.abs(binomialUpperTail(atLeast, trials, probability) - exact) <= 1e-9 * exact + 1e-15)
  }
})

test('the tail is 1 for nothing, 0 for more than there are, and falls as more is asked for', () => {
  assert.equal(binomialUpperTail(0, 10, 0.2), 1)
  assert.equal(binomialUpperTail(11, 10, 0.2), 0)
  assert.equal(binomialUpperTail(1, 0, 0.2), 0)
  let last = 1
  for (let atLeast = 0; atLeast <= 50; atLeast++) {
    const tail = binomialUpperTail(atLeast, 50, 0.3)
    assert.ok(tail <= last && tail >= 0)
    last = tail
  }
})
