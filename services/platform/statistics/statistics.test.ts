import assert from 'node:assert/strict'
import { test } from 'node:test'
import { erfc, normalCdf, normalQuantile } from './normal.ts'
import { ascending, meanOf, medianOf, quantileOfSorted, varianceOf } from './order.ts'
import {
  binomialVariate,
  exponentialVariate,
  gammaVariate,
  normalVariate,
  poissonVariate,
  seededRandom,
  shuffled,
} from './random.ts'
import { lnBeta, lnGamma, lnMeanExp } from './special-functions.ts'
import { studentCdf, studentQuantile } from './student.ts'

const near = (actual: number, expected: number, relative = 1e-9) =>
  assert.ok(Math.abs(actual - expected) <= relative * Math.abs(expected), `${actual} is not ${expected}`)

test('the normal distribution has its tabulated values, far into the tails', () => {
  assert.equal(normalCdf(0), 0.5)
  near(normalCdf(1.959963984540054), 0.975)
  near(normalCdf(-6), 9.865876450376981e-10)
  near(erfc(5), 1.5374597944280347e-12)
  near(normalQuantile(0.975), 1.959963984540054)
  near(normalQuantile(1e-10), -6.361340902404056)
  assert.equal(normalQuantile(0), Number.NEGATIVE_INFINITY)
  assert.equal(normalQuantile(1), Number.POSITIVE_INFINITY)
  assert.ok(Number.isNaN(normalQuantile(Number.NaN)))
  for (let p = 0.001; p < 1; p += 0.001) near(normalCdf(normalQuantile(p)), p)
})

test('Student’s distribution has its tabulated quantiles', () => {
  near(studentQuantile(0.975, 1), 12.706204736432095, 1e-8)
  near(studentQuantile(0.975, 2), 4.302652729696142, 1e-8)
  near(studentQuantile(0.025, 10), -2.2281388519649385, 1e-8)
  near(studentQuantile(0.975, 1e6), 1.9599664, 1e-6)
  near(studentCdf(studentQuantile(0.9, 4.5), 4.5), 0.9)
  assert.equal(studentQuantile(0.5, 3), 0)
})

test('gamma and beta functions have their known values', () => {
  near(lnGamma(5), Math.log(24), 1e-12)
  near(lnGamma(0.5), Math.log(Math.sqrt(Math.PI)), 1e-12)
  near(lnBeta(2, 3), Math.log(1 / 12), 1e-12)
  near(lnMeanExp([0, Math.log(3)]), Math.log(2), 1e-12)
})

test('quantiles interpolate, and nothing has none', () => {
  assert.equal(quantileOfSorted([1, 2, 3, 4], 0.5), 2.5)
  assert.equal(medianOf([3, 1, 2]), 2)
  assert.ok(Number.isNaN(medianOf([])))
  assert.deepEqual([...ascending([2, Number.NaN, 1])], [1, 2, Number.NaN])
  assert.equal(meanOf([]), 0)
  assert.equal(varianceOf([1, 2, 3]), 1)
  assert.equal(varianceOf([1]), 0)
})

test('the same seed gives the same numbers, another seed others', () => {
  const draws = (seed: number | string) => Array.from({ length: 5 }, seededRandom(seed))
  assert.deepEqual(draws(7), draws(7))
  assert.deepEqual(draws('a'), draws('a'))
  assert.notDeepEqual(draws(7), draws(8))
  assert.notDeepEqual(draws('a'), draws('b'))
})

const samples = 40_000

for (const { name, draw, mean, variance } of [
  { name: 'normal', draw: normalVariate, mean: 0, variance: 1 },
  {
    name: 'exponential',
    draw: (random: () => number) => exponentialVariate(random, 2),
    mean: 2,
    variance: 4,
  },
  {
    name: 'gamma of shape 3',
    draw: (random: () => number) => gammaVariate(random, 3, 6),
    mean: 6,
    variance: 12,
  },
  {
    name: 'gamma of shape 1/2',
    draw: (random: () => number) => gammaVariate(random, 0.5, 1),
    mean: 1,
    variance: 2,
  },
  {
    name: 'Poisson of a small mean',
    draw: (random: () => number) => poissonVariate(random, 2.5),
    mean: 2.5,
    variance: 2.5,
  },
  {
    name: 'Poisson of a large mean',
    draw: (random: () => number) => poissonVariate(random, 400),
    mean: 400,
    variance: 400,
  },
  {
    name: 'binomial of few',
    draw: (random: () => number) => binomialVariate(random, 20, 0.3),
    mean: 6,
    variance: 4.2,
  },
  {
    name: 'binomial of many',
    draw: (random: () => number) => binomialVariate(random, 1000, 0.02),
    mean: 20,
    variance: 19.6,
  },
])
  test(`draws of ${name} have its mean and variance`, () => {
    const random = seededRandom(20_261_122)
    const values = Float64Array.from({ length: samples }, () => draw(random))
    assert.ok(Math.abs(meanOf(values) - mean) < 5 * Math.sqrt(variance / samples), `mean ${meanOf(values)}`)
    assert.ok(Math.abs(varianceOf(values) / variance - 1) < 0.1, `variance ${varianceOf(values)}`)
  })

test('shuffling keeps the items and each place is as likely', () => {
  const random = seededRandom(3)
  const firsts = [0, 0, 0, 0]
  for (let round = 0; round < 4000; round++) {
    const order = shuffled([0, 1, 2, 3], random)
    assert.deepEqual(order.toSorted(), [0, 1, 2, 3])
    firsts[order[0] as number]! += 1
  }
  for (const count of firsts) assert.ok(Math.abs(count - 1000) < 150)
})
