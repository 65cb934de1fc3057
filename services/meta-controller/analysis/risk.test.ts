import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../platform/statistics/random.ts'
import { affectedShare, assessRisk, noveltyOf, type RiskInput } from './risk.ts'

const input: RiskInput = {
  trafficShare: 1,
  harmProbability: 0.01,
  firstWeightPercent: 10,
  detectionSeconds: 5,
  sloWindowSeconds: 3600,
  allowedBadShare: 0.01,
  rollbackSeconds: 2,
  earlierPromotions: 0,
  files: 1,
  lines: 40,
}

test('the worst burn is what a canary that fails everything spends until it is stopped', () => {
  // 10 % of the traffic for 5 s out of a budget of 36 s of full outage.
  assert.ok(Math.abs(assessRisk(input).worstBurn - 0.5 / 36) < 1e-12)
  assert.equal(assessRisk(input).score, 24)
})

test('a burn that is proven counts in place of the computed one', () => {
  assert.equal(assessRisk({ ...input, provenBurn: 0.2 }).worstBurn, 0.2)
})

test('more of any risk never lowers the score or its own dimension', () => {
  const random = seededRandom(7)
  const keys = [
    'trafficShare',
    'harmProbability',
    'firstWeightPercent',
    'detectionSeconds',
    'rollbackSeconds',
    'lines',
    'provenBurn',
    'refutationsFailed',
  ] as const
  for (let round = 0; round < 500; round++) {
    const base = {
      ...input,
      trafficShare: random(),
      harmProbability: random(),
      firstWeightPercent: random() * 100,
      detectionSeconds: random() * 60,
      rollbackSeconds: random() * 120,
      lines: Math.floor(random() * 300),
      provenBurn: random(),
      robustnessValue: random(),
      refutationsFailed: Math.floor(random() * 4),
      refutations: 6,
    }
    for (const key of keys) {
      const riskier = { ...base, [key]: base[key] * (1 + random()) }
      assert.ok(assessRisk(riskier).score >= assessRisk(base).score, key)
    }
    assert.ok(assessRisk({ ...base, robustnessValue: 0 }).score >= assessRisk(base).score)
    assert.ok(assessRisk({ ...base, earlierPromotions: 3 }).score <= assessRisk(base).score)
  }
})

test('what is not known counts as the worst', () => {
  assert.equal(assessRisk({ ...input, harmProbability: Number.NaN }).harmProbability, 1)
  const unknown = assessRisk({
    ...input,
    trafficShare: Number.NaN,
    provenBurn: Number.NaN,
    robustnessValue: Number.NaN,
    features: [Number.NaN],
    earlierFeatures: [[0], [0], [0]],
  })
  const { blastRadius, worstBurn, fragility, novelty } = unknown
  assert.deepEqual([blastRadius, worstBurn, fragility, novelty], [1, Infinity, 1, 1])
})

test('refutations that fail show as confounding, and a fragile effect as fragility', () => {
  const risk = assessRisk({ ...input, refutationsFailed: 2, refutations: 5, robustnessValue: 0.1 })
  assert.deepEqual([risk.confounding, risk.fragility], [0.4, 0.9])
  assert.equal(assessRisk(input).confounding, 0)
})

test('a change is new as far as its three nearest are away', () => {
  assert.equal(
    noveltyOf(
      [1, 0],
      [
        [1, 0],
        [1, 1],
      ],
    ),
    0.5,
  )
  assert.equal(noveltyOf([1, 0], []), 1)
  assert.equal(noveltyOf([1], [[1], [1], [1], [9]]), 0)
  assert.equal(noveltyOf([1], [[1, 2], [Infinity]]), 1)
})

test('a further earlier change never makes one newer', () => {
  const random = seededRandom(3)
  const point = () => [random(), random(), random()]
  for (let round = 0; round < 200; round++) {
    const features = point()
    const earlier = Array.from({ length: Math.floor(random() * 6) }, point)
    assert.ok(noveltyOf(features, [...earlier, point()]) <= noveltyOf(features, earlier))
  }
})

test('what a change touches is what it calls and what calls it, directly or not', () => {
  const flows = [
    { caller: 'web', service: 'cart', requests: 10 },
    { caller: 'cart', service: 'db', requests: 20 },
    { caller: 'client', service: 'web', requests: 10 },
    { caller: 'web', service: 'ads', requests: 60 },
  ]
  assert.equal(affectedShare('cart', flows), 0.4)
  assert.equal(affectedShare('ads', flows), 0.7)
  assert.equal(affectedShare('web', flows), 1)
})

test('an unknown topology means that everything is touched', () => {
  assert.equal(affectedShare('cart', []), 1)
  assert.equal(affectedShare('cart', [{ caller: 'a', service: 'b', requests: 5 }]), 1)
  assert.equal(affectedShare('a', [{ caller: 'a', service: 'b', requests: 0 }]), 1)
})

test('calls in a circle end', () => {
  const flows = [
    { caller: 'a', service: 'b', requests: 1 },
    { caller: 'b', service: 'a', requests: 1 },
  ]
  assert.equal(affectedShare('a', flows), 1)
})
