import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { DecisionSchema } from '../gen/nexus/meta_controller/v1/objective_pb.ts'
import { evidenceOf } from './show-decision.ts'

test('a decision shows its p-value, causes, effect with refutations, risk and obligations, a line each', () => {
  const decision = create(DecisionSchema, {
    anomalies: [{ pValue: 2.2e-20, remark: 'latency_p95 of storefront is 54.0 ms' }],
    rootCauses: [{ service: 'storefront', share: 0.97 }],
    unexplainedShare: 0.03,
    relatedKnowledge: ['What became of add_timeout on storefront: it was promoted, because it was faster.'],
    effect: {
      estimate: -0.412,
      low: -0.52,
      high: -0.3,
      origin: 'benchmark',
      method: 'aipw',
      eValue: 9.81,
      robustnessValue: 0.94,
      refutations: [
        { name: 'subset', passed: true, remark: 'four fifths give −0.41' },
        { name: 'bootstrap', passed: false, remark: 'too wide' },
      ],
    },
    risk: {
      score: 24,
      blastRadius: 1,
      harmProbability: 0.001,
      worstBurn: 0.039,
      rollbackS: 2,
      novelty: 1,
      lines: 40,
      files: 2,
    },
    obligations: [
      { status: 'proven', statement: 'from every state of the rollout stable is reached within 60 s' },
    ],
  })
  assert.deepEqual(evidenceOf(decision), [
    'anomaly     p = 2.2e-20  latency_p95 of storefront is 54.0 ms',
    'cause       97 % of the excess: storefront',
    'cause       3 % of the excess is unexplained',
    'known       What became of add_timeout on storefront: it was promoted, because it was faster.',
    'effect      -41.2 % (95 %: -52.0 % to -30.0 %) by aipw over the benchmark, E-value 9.8, robustness value 0.94',
    'refutation  stood subset: four fifths give −0.41',
    'refutation  FAILED bootstrap: too wide',
    'risk        24 of 100: blast radius 100 %, P(harm) 0.1 %, worst burn 3.9 % of the error budget, back in 2 s, novelty 100 %, 40 lines in 2 files',
    'obligation  proven: from every state of the rollout stable is reached within 60 s',
  ])
})

test('a decision that declined shows what it has, and an effect that nobody knows is told as that', () => {
  assert.deepEqual(evidenceOf(create(DecisionSchema, {})), [])
  const unknown = create(DecisionSchema, { effect: { origin: 'none', low: -1, high: 1 } })
  assert.deepEqual(evidenceOf(unknown), ['effect      not known before the canary'])
})
