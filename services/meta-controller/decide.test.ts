import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DecisionInput, judge } from './decide.ts'
import type { Experience } from './learn.ts'
import type { Situation } from './orient.ts'

const anomaly = {
  service: 'storefront',
  metric: 'latency_p95' as const,
  value: 40,
  reference: 10,
  pValue: 1e-30,
  remark: 'latency_p95 of storefront is 40.0 ms',
}

const situation: Situation = {
  service: 'storefront',
  branch: 'main',
  head: 'a'.repeat(40),
  permitted: ['enable_caching', 'add_timeout'],
  anomalies: [anomaly],
  changes: [],
  rootCauses: [],
  unexplainedShare: 0,
  remark: anomaly.remark,
  trafficShare: 1,
  sloWindowSeconds: 3600,
  allowedBadShare: 0.05,
  relatedKnowledge: [],
}

const input: DecisionInput = { goal: 'reduce_latency', wished: '', situation, experiences: [], excluded: {} }

function experience(change: Partial<Experience>): Experience {
  return {
    objectiveId: 'o-1',
    turn: 1,
    target: 'storefront',
    intervention: 'enable_caching',
    base: situation.head,
    changeId: 'c-1',
    outcome: 'promoted',
    metric: 'latency_p95',
    stableValue: 40,
    canaryValue: 8,
    expected: { estimate: 0, low: -1, high: 1, origin: 'none', observations: 0 },
    measured: -0.8,
    canaryCount: 1000,
    reason: '',
    atMs: 0,
    ...change,
  }
}

test('it declines when nothing is wrong, and says how things stand', () => {
  const decision = judge({ ...input, situation: { ...situation, anomalies: [], remark: 'p95 is 3 ms' } })
  assert.equal(decision.intervention, 'none')
  assert.deepEqual(decision.reasons, ['nothing to improve: p95 is 3 ms'])
})

test('it declines when telemetry is too thin to say', () => {
  const decision = judge({ ...input, situation: { ...situation, notEnough: '12 requests, 100 are needed' } })
  assert.equal(decision.intervention, 'none')
  assert.match(decision.reasons[0] ?? '', /^not enough evidence: 12 requests/)
})

test('it declines what nexus.yaml does not permit, and names what it permits', () => {
  const decision = judge({ ...input, wished: 'add_retry' })
  assert.equal(decision.intervention, 'none')
  assert.match(
    decision.reasons.join(),
    /add_retry: nexus.yaml does not permit it .*enable_caching, add_timeout/,
  )
})

test('it takes the likeliest candidate where nothing was tried, and says that', () => {
  const decision = judge(input)
  assert.equal(decision.intervention, 'enable_caching')
  assert.match(decision.reasons.join(), /never tried here/)
  assert.deepEqual(
    decision.options.map((option) => [option.intervention, option.chosen]),
    [
      ['enable_caching', true],
      ['add_timeout', false],
    ],
  )
})

test('experience decides between candidates by the worse end of the interval', () => {
  const timeouts = [-0.5, -0.52, -0.51].map((measured) =>
    experience({ intervention: 'add_timeout', measured }),
  )
  const caching = [experience({ measured: -0.9 })]
  assert.equal(judge({ ...input, experiences: [...timeouts, ...caching] }).intervention, 'add_timeout')
})

test('an estimate over the canary’s slots counts before the ratio, unless a refutation found it wrong', () => {
  const estimated = (passed: boolean) =>
    [-0.6, -0.61, -0.59].map((estimate) =>
      experience({
        measured: -0.1,
        effect: {
          estimate,
          low: estimate - 0.1,
          high: estimate + 0.1,
          origin: 'experience',
          observations: 40,
          refutations: [{ name: 'placebo treatment', passed, remark: '' }],
        },
      }),
    )
  const told = (experiences: readonly Experience[]) => judge({ ...input, experiences }).reasons.join()
  assert.match(told(estimated(true)), /3 earlier canaries measured -60 %/)
  assert.match(told(estimated(false)), /3 earlier canaries measured -10 %/)
})

test('what the canary aborted from this very commit is not tried again; from another commit it may be', () => {
  const aborted = experience({ outcome: 'aborted', reason: 'errors', measured: null })
  const again = judge({ ...input, wished: 'enable_caching', experiences: [aborted] })
  assert.equal(again.intervention, 'none')
  assert.match(
    again.reasons.join(),
    /tried from this very commit and aborted by the canary \(objective o-1: errors\)/,
  )
  const elsewhere = { ...aborted, base: 'b'.repeat(40) }
  assert.equal(
    judge({ ...input, wished: 'enable_caching', experiences: [elsewhere] }).intervention,
    'enable_caching',
  )
})

test('what an earlier turn found impossible is not chosen again', () => {
  const decision = judge({ ...input, excluded: { enable_caching: 'nothing pure is hot' } })
  assert.equal(decision.intervention, 'add_timeout')
})

test('the same input gives the same decision', () => {
  assert.deepEqual(judge(input), judge(structuredClone(input)))
})
