import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RolloutPlan } from './plan.ts'
import { assertProven, assertRefuted, assertUnproven, proverForTests } from './proving.testing.ts'
import { rolloutObligations } from './rollout.ts'

const { prove } = proverForTests()

const stepsName = 'steps of the rollout'
const atOnce = 'burn of a canary that fails from its start'
const late = 'burn of a canary that begins to fail later'

/** A budget of 36 s: 1 % of an hour. */
const careful: RolloutPlan = {
  steps: [
    { weightPercent: 20, minSeconds: 10 },
    { weightPercent: 50, minSeconds: 20 },
  ],
  detectionSeconds: 5,
  rollbackSeconds: 3,
  sloWindowSeconds: 3600,
  allowedBadShare: 0.01,
  maxBudgetShare: 0.05,
  maxLateBudgetShare: 0.25,
}

async function proven(change: Partial<RolloutPlan>) {
  const verdicts = await prove(rolloutObligations({ ...careful, ...change }))
  return new Map(verdicts.map((verdict) => [verdict.name, verdict]))
}

test('of a careful rollout all is proven', async () => {
  const verdicts = await proven({})
  for (const name of [stepsName, atOnce, late]) assertProven(verdicts.get(name))
})

test('weights rise by a bounded factor, also to 100 %', async () => {
  const refuted = async (weights: readonly number[], words: RegExp) => {
    const steps = weights.map((weightPercent) => ({ weightPercent, minSeconds: 10 }))
    assertRefuted((await proven({ steps })).get(stepsName), words)
  }
  await refuted([20, 10, 30], /^step 2 goes from 20 % to 10 %$/)
  await refuted([5, 50], /^step 2 goes from 5 % to 50 %$/)
  await refuted([10, 20], /^the promotion goes from 20 % to 100 %$/)
  await refuted([50], /^step 1 goes from 0 % to 50 %$/)
  await refuted([25, 75, 101], /^step 3 goes from 75 % to 101 %$/)
  await refuted([0, 0], /^step 1 goes from 0 % to 0 %$/)
})

test('a step is not shorter than what the judge needs at its weight', async () => {
  const steps = [{ weightPercent: 20, minSeconds: 10, detectionSeconds: 12 }, careful.steps[1]!]
  assertRefuted((await proven({ steps })).get(stepsName), /lasts 10 s, a failing canary is found after 12 s$/)
})

test('a canary that fails at once burns at the first weights until traffic is back', async () => {
  // 20 % for 8 s: 1.6 s of 36 s.
  assertProven((await proven({ maxBudgetShare: 1.6 / 36 + 1e-9 })).get(atOnce))
  assertRefuted(
    (await proven({ maxBudgetShare: 0.044 })).get(atOnce),
    /4\.444 % of the error budget of 36 s, at most 4\.4 % may go$/,
  )
  // Found after the step is over: 20 % for 10 s and 50 % for 5 s.
  const slow = { detectionSeconds: 12, maxBudgetShare: 4.5 / 36 }
  assertProven((await proven(slow)).get(atOnce))
  assertRefuted(
    (await proven({ ...slow, maxBudgetShare: 0.124 })).get(atOnce),
    /makes 4\.\d+ s of all traffic bad: 12\.\d+ %/,
  )
})

test('a fault that comes later burns at the weight that it finds, up to all of it', async () => {
  // In the last moment of the last step: 8 s at 100 %.
  assertProven((await proven({ maxLateBudgetShare: 8 / 36 + 1e-9 })).get(late))
  assertRefuted(
    (await proven({ maxLateBudgetShare: 0.222 })).get(late),
    /^a canary that fails from second \S+ on, with traffic back/,
  )
})

test('what the judge tolerates burns until the fault begins', async () => {
  // 0.2 × 10 s + 0.5 × 20 s at 10 % before, 8 s of all after.
  assertProven((await proven({ toleratedBadShare: 0.1, maxLateBudgetShare: 9.2 / 36 + 1e-9 })).get(late))
  assertRefuted(
    (await proven({ toleratedBadShare: 0.1, maxLateBudgetShare: 0.255 })).get(late),
    /9\.\d+ s of all traffic bad/,
  )
})

test('a peak burns more of the budget than the mean rate', async () => {
  assertProven((await proven({ maxBudgetShare: 0.09, peakToMean: 2 })).get(atOnce))
  assertRefuted(
    (await proven({ maxBudgetShare: 0.09, peakToMean: 2.1 })).get(atOnce),
    /makes 3\.\d+ s of all traffic bad/,
  )
})

test('an empty budget, or none at all, is exceeded by anything', async () => {
  assertRefuted(
    (await proven({ allowedBadShare: 0 })).get(atOnce),
    /more than all of the error budget of 0 s/,
  )
  assertRefuted((await proven({ sloWindowSeconds: 0 })).get(atOnce), /more than all/)
  assertProven((await proven({ detectionSeconds: 0, rollbackSeconds: 0, allowedBadShare: 0 })).get(atOnce))
})

test('a rollout that says nothing, or nonsense, is not proven', async () => {
  assertUnproven((await proven({ steps: [] })).get(atOnce), /the rollout has no steps/)
  assertUnproven(
    (await proven({ steps: Array(51).fill(careful.steps[0]) })).get(stepsName),
    /more than 50 steps/,
  )
  assertUnproven((await proven({ detectionSeconds: Number.NaN })).get(atOnce), /detection in step 1 is NaN/)
  assertUnproven((await proven({ rollbackSeconds: Infinity })).get(atOnce), /rollback is Infinity/)
  assertUnproven((await proven({ allowedBadShare: -0.01 })).get(atOnce), /allowed share is -0\.01/)
  const steps = [{ weightPercent: 20, minSeconds: 10, maxSeconds: 5 }]
  assertUnproven((await proven({ steps })).get(stepsName), /lasts at least 10 s and at most 5 s/)
  assert.equal(rolloutObligations({ ...careful, maxLateBudgetShare: undefined }).length, 2)
})
