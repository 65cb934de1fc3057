import assert from 'node:assert/strict'
import { test } from 'node:test'
import { meanOf } from '../../../platform/statistics/order.ts'
import { normalVariate, seededRandom } from '../../../platform/statistics/random.ts'
import { calibrationOf, effectOfEach } from './heterogeneity.ts'
import { matrixOf } from './matrix.ts'
import { describePolicy, growPolicyTree, policyOf, treats } from './policy-tree.ts'

/** 600 rows of two covariates whose true effect is the first covariate; scores are it with noise. */
function scored(seed: number, noise = 2) {
  const random = seededRandom(seed)
  const x = matrixOf(Array.from({ length: 600 }, () => [normalVariate(random), normalVariate(random)]))
  const truth = Float64Array.from({ length: 600 }, (_, row) => x.data[row * 2]!)
  const scores = truth.map((value) => value + noise * normalVariate(random))
  const treated = truth.map(() => Number(random() < 0.5))
  return { x, truth, scores, treated, random }
}

const squaredError = (a: Float64Array, b: Float64Array) =>
  meanOf(a.map((value, row) => (value - b[row]!) ** 2))

test('what the outcome models do not know of the effects, the scores tell', () => {
  const { x, truth, scores, treated, random } = scored(1)
  const modelled = new Float64Array(600)
  const each = effectOfEach(x, treated, { scores, modelled, estimate: 0 }, random)
  assert.ok(squaredError(each, truth) < 0.15 * squaredError(modelled, truth))
})

test('outcome models that know the effects are not spoilt by noisy scores', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const { x, truth, scores, treated, random } = scored(seed, 10)
    const each = effectOfEach(x, treated, { scores, modelled: truth, estimate: 0 }, random)
    assert.ok(squaredError(each, truth) < 0.2, `seed ${seed}`)
  }
})

test('predicted differences between effects are told from luck', () => {
  const { truth, scores, random } = scored(2)
  const right = calibrationOf(scores, truth)
  assert.ok(Math.abs(right.slope - 1) < 3 * right.se && right.isHeterogeneous)
  const luck = calibrationOf(
    scores,
    truth.map(() => normalVariate(random)),
  )
  assert.equal(luck.isHeterogeneous, false)
  assert.equal(calibrationOf(scores, new Float64Array(600)).isHeterogeneous, false)
  assert.equal(calibrationOf(truth, truth).slope, 1)
})

test('who gains is treated, who loses is left', () => {
  const x = matrixOf(Array.from({ length: 100 }, (_, row) => [row - 50]))
  const scores = Float64Array.from({ length: 100 }, (_, row) => (row >= 50 ? 1 : -1))
  const tree = growPolicyTree(x, scores)
  assert.equal(describePolicy(tree, ['load']), 'if load < -2: leave; else: treat')
  assert.deepEqual([treats(tree, [-3]), treats(tree, [3])], [false, true])
})

test('two questions are asked where one does not do', () => {
  const random = seededRandom(3)
  const x = matrixOf(Array.from({ length: 400 }, () => [Number(random() < 0.5), Number(random() < 0.5)]))
  const scores = Float64Array.from({ length: 400 }, (_, row) =>
    x.data[row * 2] === x.data[row * 2 + 1] ? 1 : -1,
  )
  const tree = growPolicyTree(x, scores)
  for (const [first, second] of [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ] as const)
    assert.equal(treats(tree, [first, second]), first === second)
})

test('no tree of depth 2 over those thresholds gains more, for twenty random samples of two covariates', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed)
    const x = matrixOf(Array.from({ length: 60 }, () => [Math.floor(3 * random()), Math.floor(3 * random())]))
    const scores = Float64Array.from({ length: 60 }, () => normalVariate(random))
    const tree = growPolicyTree(x, scores)
    const gain = (goes: (row: ArrayLike<number>) => boolean) =>
      scores.reduce((sum, score, row) => sum + (goes(x.data.subarray(row * 2, row * 2 + 2)) ? score : 0), 0)
    const best = gain((row) => treats(tree, row))
    for (const column of [0, 1])
      for (const below of [0.5, 1.5]) {
        const sides = [true, false].flatMap((yes) => [true, false].map((no) => ({ yes, no })))
        for (const { yes, no } of sides) {
          const stump = { column, below, yes: { treat: yes }, no: { treat: no } }
          const sizes = [x.data.filter((value, place) => place % 2 === column && value < below).length]
          if (sizes[0]! < 10 || sizes[0]! > 50) continue
          assert.ok(best >= gain((row) => treats(stump, row)) - 1e-9, `seed ${seed}`)
        }
      }
  }
})

test('the value of a tree is told from rows that it was not made from', () => {
  const { x, scores, treated, random } = scored(4)
  const policy = policyOf(x, treated, scores, random)
  assert.ok(policy.low > 0.2 && policy.high < 0.6, 'treating the half that gains is worth 0.4 a row')
  assert.ok(policy.gain.low > 0)
  const noise = scores.map(() => normalVariate(random))
  const luck = policyOf(x, treated, noise, random)
  assert.ok(luck.gain.low < 0, 'noise gives a tree, but not a gain')
})

test('rows without covariates are all treated or none', () => {
  const none = matrixOf([[], [], []])
  assert.deepEqual(growPolicyTree(none, Float64Array.of(1, 1, -1)), { treat: true })
  assert.deepEqual(growPolicyTree(none, Float64Array.of(-1, 0, 0)), { treat: false })
  assert.deepEqual(growPolicyTree(matrixOf([]), new Float64Array(0)), { treat: false })
})
