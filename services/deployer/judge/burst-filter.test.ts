import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gammaVariate, poissonVariate, seededRandom } from '../../platform/statistics/random.ts'
import {
  advance,
  armPrior,
  beginFilter,
  copyFilter,
  lnWealth,
  ratioPrior,
  steady,
  withPrior,
} from './burst-filter.ts'

const bets = {
  alternatives: [
    { steps: 3, stake: 2 },
    { steps: 10, stake: 1 },
  ],
  waiting: 0.2,
  onsetPerSecond: 0.01,
  maxLnGain: Infinity,
}
const poisson = (events: number, mean: number) => (lnFactor: number, factor: number) =>
  events * lnFactor - mean * factor

test('the evidence is what was staked before anything is seen, and time alone changes nothing', () => {
  for (const prior of [steady, armPrior(1, 60)]) {
    const filter = beginFilter(bets, prior)
    assert.ok(Math.abs(lnWealth(filter)) < 1e-9)
    for (let second = 0; second < 1000; second++) advance(filter, 1, undefined)
    assert.ok(Math.abs(lnWealth(filter)) < 1e-9)
  }
})

test('a steady rate twice as high is worth the likelihood ratio', () => {
  const one = { ...bets, alternatives: [{ steps: 3, stake: 1 }], waiting: 0 }
  const filter = beginFilter(one, steady)
  advance(filter, 1, poisson(5, 3))
  assert.ok(Math.abs(lnWealth(filter) - (5 * Math.LN2 - 3)) < 1e-9)
})

test('when the rate is as the null says, bursts and all, the mean of the evidence is at most one', () => {
  const random = seededRandom(11)
  const prior = armPrior(0.5, 20)
  let sum = 0
  const runs = 3000
  for (let run = 0; run < runs; run++) {
    const filter = beginFilter({ ...bets, alternatives: [{ steps: 2, stake: 1 }] }, prior)
    let factor = gammaVariate(random, 2, 1)
    for (let second = 0; second < 30; second++) {
      if (random() < -Math.expm1(-1 / 20)) factor = gammaVariate(random, 2, 1)
      advance(filter, 1, poisson(poissonVariate(random, 2 * factor), 2))
    }
    sum += Math.exp(lnWealth(filter))
  }
  assert.ok(sum / runs > 0.8 && sum / runs < 1.25, `${sum / runs}`)
})

test('one burst is never worth more than its rarity, however many events it has', () => {
  const prior = ratioPrior({ canary: 1, stable: 1 }, 1e9)
  const filter = beginFilter({ ...bets, alternatives: [{ steps: 10, stake: 1 }], waiting: 0 }, prior)
  for (let second = 0; second < 20; second++)
    advance(filter, 1, (lnFactor, factor) => 50 * lnFactor - 50 * Math.log(1 + factor))
  assert.ok(lnWealth(filter) <= Math.log(11), `${lnWealth(filter)}`)
})

test('what begins late is found nearly as fast as what begins at once', () => {
  const secondsToFind = (quiet: number) => {
    const filter = beginFilter(bets, steady)
    for (let second = 0; second < quiet; second++) advance(filter, 1, poisson(1, 1))
    for (let second = 1; second < 1000; second++) {
      advance(filter, 1, poisson(10, 1))
      if (lnWealth(filter) > 5) return second
    }
    return Infinity
  }
  assert.ok(secondsToFind(0) <= 2)
  assert.ok(secondsToFind(600) <= 2 * secondsToFind(0) + 1)
})

test('a slot gains at most its cap', () => {
  const filter = beginFilter({ ...bets, maxLnGain: 1 }, armPrior(0.1, 10))
  let before = 0
  for (let second = 0; second < 20; second++) {
    advance(filter, 1, poisson(100, 1))
    assert.ok(lnWealth(filter) <= before + 1 + 1e-9)
    before = lnWealth(filter)
  }
})

test('the evidence goes on under another prior, and a copy is another', () => {
  const filter = beginFilter(bets, armPrior(0.1, 30))
  for (let second = 0; second < 5; second++) advance(filter, 1, poisson(4, 1))
  const copy = copyFilter(filter)
  const other = withPrior(filter, steady)
  assert.ok(Math.abs(lnWealth(other) - lnWealth(filter)) < 1e-9)
  advance(other, 1, poisson(4, 1))
  advance(filter, 1, poisson(4, 1))
  assert.ok(lnWealth(filter) > lnWealth(copy))
  assert.ok(lnWealth(other) > lnWealth(copy))
})

test('a variance that is zero, tiny or no number is no fluctuation, and an enormous one is bounded', () => {
  for (const variance of [0, 1e-9, -1, Number.NaN]) assert.equal(armPrior(variance, 60), steady)
  const { chances } = armPrior(1e6, 60)
  assert.ok(chances.length <= 402)
  assert.ok(Math.abs(chances.reduce((sum, chance) => sum + chance, 0) - 1) < 1e-9)
})
