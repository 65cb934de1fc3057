import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../platform/eventually.testing.ts'
import { assessRisk, type RiskInput } from './risk.ts'

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
})

test('more of any risk never lowers the score', () => {
  const random = seededRandom(7)
  const keys = [
    'trafficShare',
    'harmProbability',
    'firstWeightPercent',
    'detectionSeconds',
    'rollbackSeconds',
    'lines',
  ] as const
  for (let round = 0; round < 500; round++) {
    const base: RiskInput = {
      ...input,
      trafficShare: random(),
      harmProbability: random(),
      firstWeightPercent: random() * 100,
      detectionSeconds: random() * 60,
      rollbackSeconds: random() * 120,
      lines: Math.floor(random() * 300),
    }
    for (const key of keys) {
      const riskier = { ...base, [key]: base[key] * (1 + random()) }
      assert.ok(assessRisk(riskier).score >= assessRisk(base).score, key)
    }
    assert.ok(assessRisk({ ...base, earlierPromotions: 3 }).score <= assessRisk(base).score)
  }
})

test('what is not known counts as the worst', () => {
  assert.equal(assessRisk({ ...input, harmProbability: Number.NaN }).harmProbability, 1)
})
