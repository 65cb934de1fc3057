import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom as seeded } from '../../platform/eventually.testing.ts'
import { gammaVariate, poissonVariate } from '../../platform/statistics/random.ts'
import { type Calibration, calibrateJudge } from './calibration.ts'
import { beginJudge, decide, isShownWorse, observe, recalibrate } from './judge.ts'
import {
  type ArmModel,
  calibrated,
  judgeOptions,
  type RolloutModel,
  simulateRollout,
} from './simulate.testing.ts'
import { noCounts } from './slot.ts'

const healthy: ArmModel = { errorShare: () => 0.005, medianMs: () => 10 }
const perfect: ArmModel = { errorShare: () => 0, medianMs: () => 10 }
const half = { requestsPerSecond: 100, canaryShare: () => 0.5, seconds: 60 }

function outcomes(rollouts: number, model: RolloutModel, seed: number, calibration?: Calibration) {
  const runs = Array.from({ length: rollouts }, (_, run) =>
    simulateRollout(model, seeded(seed + run), 'any verdict', calibration),
  )
  const share = (verdict: string) => runs.filter((run) => run.verdict === verdict).length / rollouts
  const seconds = runs.map((run) => run.seconds).toSorted((a, b) => a - b)
  return { worse: share('worse'), notWorse: share('not worse'), medianSeconds: seconds[rollouts >> 1]! }
}

test('200 equal canaries, looked at every second: at most alpha of them are called worse', () => {
  // They are followed to the end: a rollout that is promoted early has fewer looks in which to go wrong.
  const model = { ...half, stable: healthy, canary: healthy, requestsPerSecond: 50, seconds: 120 }
  let wrong = 0
  for (let run = 0; run < 200; run++) {
    if (simulateRollout(model, seeded(1000 + run), 'worse').verdict === 'worse') wrong++
  }
  assert.ok(wrong / 200 <= 0.01, `${wrong} of 200`)
})

test('an incident that strikes both arms while the weight rises does not abort', () => {
  const incident: ArmModel = {
    errorShare: (second) => (second >= 20 ? 0.2 : 0.002),
    medianMs: (second) => (second >= 20 ? 60 : 10),
  }
  const model = { ...half, canaryShare: (second: number) => (second < 15 ? 0.1 : 0.5), seconds: 40 }
  const { worse } = outcomes(200, { ...model, stable: incident, canary: incident }, 2000)
  assert.ok(worse <= 0.01, `${worse}`)
})

test('ten times the errors are found within seconds at fifty canary requests a second', () => {
  const broken: ArmModel = { ...healthy, errorShare: () => 0.05 }
  // At equal shares half of the errors would be the canary's anyway, so each of them says less.
  for (const [requestsPerSecond, share, withinSeconds, unknownSeconds] of [
    [1000, 0.05, 4, 6],
    [250, 0.2, 5, 8],
    [100, 0.5, 16, 20],
  ] as const) {
    const model = { ...half, requestsPerSecond, canaryShare: () => share, stable: healthy, canary: broken }
    const calibration = calibrated(model, seeded(1))
    const known = outcomes(40, model, 3000, calibration)
    assert.equal(known.worse, 1)
    assert.ok(known.medianSeconds <= withinSeconds, `median ${known.medianSeconds} s at weight ${share}`)
    const unknown = outcomes(40, model, 3000)
    assert.ok(unknown.medianSeconds <= unknownSeconds, `median ${unknown.medianSeconds} s without a past`)
  }
})

test('a canary that is half as slow again is found and not left open, one a quarter slower is let pass', () => {
  const model = { ...half, requestsPerSecond: 200, stable: perfect, canary: perfect, seconds: 120 }
  const calibration = calibrated(model, seeded(2))
  const slower = (factor: number) =>
    outcomes(20, { ...model, canary: { ...perfect, medianMs: () => 10 * factor } }, 5500, calibration)
  assert.ok(slower(1.5).worse >= 0.9)
  assert.ok(slower(1.25).notWorse >= 0.9)
})

test('bursts that strike one version alone are allowed for, once the past has shown them', () => {
  const bursty = (seed: number): ArmModel => {
    const random = seeded(seed)
    const factors = Array.from({ length: 20 }, () => gammaVariate(random, 1, 1))
    return { ...healthy, errorShare: (second) => 0.01 * factors[Math.floor(second / 60)]! }
  }
  const model = { ...half, requestsPerSecond: 200, seconds: 300 }
  const past = Array.from({ length: 60 }, (_, index) => bursty(index)).map((arm, index) => ({
    seconds: 60,
    arm: {
      requests: 12_000,
      errors: poissonVariate(seeded(900 + index), 12_000 * arm.errorShare(0)),
      refusals: 0,
      latencyCounts: Array<number>(judgeOptions.boundsMs.length + 1).fill(0),
    },
  }))
  const calibration = calibrateJudge(past, judgeOptions.boundsMs)
  let wrong = 0
  for (let run = 0; run < 60; run++) {
    const arms = { stable: bursty(2 * run), canary: bursty(2 * run + 1) }
    const { verdict } = simulateRollout({ ...model, ...arms }, seeded(run), 'worse', calibration)
    if (verdict === 'worse') wrong++
  }
  assert.ok(wrong <= 2, `${wrong} of 60`)
})

test('what the rollout itself shows of stable sharpens the judge, and the evidence so far is kept', () => {
  const model = { ...half, stable: healthy, canary: healthy, seconds: 10 }
  const { judge } = simulateRollout(model, seeded(3), 'worse')
  const sharper = recalibrate(judge, calibrated(model, seeded(4)))
  const [before, after] = [decide(judge), decide(sharper)]
  assert.ok(Math.abs(before.findings[0]!.log10Worse - after.findings[0]!.log10Worse) < 1e-9)
  assert.ok(sharper.errors.options.burstiness.variance < judge.errors.options.burstiness.variance)
})

test('one RPC of many that fails is named', () => {
  const arm = (failed: number) => ({
    ...noCounts(judgeOptions.boundsMs.length + 1),
    requests: 100,
    errors: failed,
    methods: {
      '/shop.v1.Shop/Get': { requests: 10, byStatus: { 0: 10 - failed, 13: failed } },
      '/shop.v1.Shop/List': { requests: 90, byStatus: { 0: 90 } },
    },
  })
  let judge = beginJudge(judgeOptions)
  for (let second = 0; second < 6; second++) judge = observe(judge, { stable: arm(0), canary: arm(5) }, true)
  const [errors] = decide(judge).findings
  assert.equal(errors?.slices[0]?.method, '/shop.v1.Shop/Get')
  assert.match(errors?.remark ?? '', /in \/shop\.v1\.Shop\/Get with status 13$/)
})

test('slots with counts that are no numbers, or of one arm only, leave the judge as it is', () => {
  const arm = (requests: number, errors: number) => ({
    ...noCounts(judgeOptions.boundsMs.length + 1),
    requests,
    errors,
  })
  let judge = beginJudge(judgeOptions)
  for (const bad of [Number.NaN, Infinity, -Infinity, -1]) {
    judge = observe(judge, { stable: arm(10, 0), canary: arm(bad, 10) }, true)
    judge = observe(judge, { stable: arm(10, bad), canary: arm(10, 10) }, true)
    judge = observe(judge, { stable: arm(10, 0), canary: arm(10, 10), seconds: bad }, true)
  }
  assert.deepEqual(decide(judge), decide(beginJudge(judgeOptions)))
  judge = observe(judge, { stable: arm(0, 0), canary: arm(10, 10) }, true)
  assert.equal(decide(judge).verdict, 'not enough evidence')
})

test('a million requests a second are judged, and a share above one does not break it', () => {
  let judge = beginJudge(judgeOptions)
  const arm = (errors: number) => ({
    ...noCounts(judgeOptions.boundsMs.length + 1),
    requests: 1e6,
    errors,
  })
  for (let second = 0; second < 20; second++)
    judge = observe(judge, { stable: arm(5000), canary: arm(5000) }, true)
  assert.equal(isShownWorse(judge), false)
  for (let second = 0; second < 20; second++)
    judge = observe(judge, { stable: arm(5000), canary: arm(2e6) }, true)
  assert.equal(isShownWorse(judge), true)
  assert.ok(decide(judge).findings.every(({ log10Worse }) => Number.isFinite(log10Worse)))
})

test('a canary that fails every request is found within four seconds, but not by a single burst', () => {
  const dead: ArmModel = { ...perfect, errorShare: () => 1 }
  const { worse, medianSeconds } = outcomes(20, { ...half, stable: perfect, canary: dead }, 4000)
  assert.equal(worse, 1)
  assert.ok(medianSeconds >= 2 && medianSeconds <= 4, `${medianSeconds}`)
})

test('a canary that is twice as slow is found, one that is a tenth slower is not called worse', () => {
  const slow = outcomes(40, { ...half, stable: perfect, canary: { ...perfect, medianMs: () => 20 } }, 5000)
  assert.equal(slow.worse, 1)
  const bit = outcomes(40, { ...half, stable: perfect, canary: { ...perfect, medianMs: () => 11 } }, 6000)
  assert.equal(bit.worse, 0)
})

test('a canary that fails fast is worse by its errors, though its latency is better', () => {
  const fast: ArmModel = { errorShare: () => 0.08, medianMs: () => 2 }
  const { verdict, judge } = simulateRollout({ ...half, stable: perfect, canary: fast }, seeded(7))
  assert.equal(verdict, 'worse')
  const [errors, p95] = decide(judge).findings
  assert.ok(errors?.isShownWorse)
  assert.equal(p95?.isShownWorse, false)
})

test('no traffic is not enough evidence', () => {
  let judge = beginJudge(judgeOptions)
  const none = noCounts(judgeOptions.boundsMs.length + 1)
  for (let second = 0; second < 300; second++) judge = observe(judge, { stable: none, canary: none }, true)
  const { verdict, findings } = decide(judge)
  assert.equal(verdict, 'not enough evidence')
  assert.ok(findings.every((finding) => !finding.isShownNotWorse && !finding.isShownWorse))
})

test('traffic on the canary alone is no comparison, and a handful of requests is not enough', () => {
  const few = outcomes(20, { ...half, requestsPerSecond: 1, stable: perfect, canary: perfect }, 8000)
  assert.equal(few.notWorse, 0)
  const alone = { ...half, canaryShare: () => 1, stable: perfect, canary: perfect }
  assert.equal(outcomes(5, alone, 8100).worse, 0)
})

test('no errors and enough traffic is not worse', () => {
  const { notWorse, medianSeconds } = outcomes(
    60,
    { ...half, stable: perfect, canary: perfect, seconds: 120 },
    9000,
  )
  assert.ok(notWorse >= 0.98, `${notWorse}`)
  assert.ok(medianSeconds <= 30, `median ${medianSeconds} s`)
})

test('a canary that is shown not worse is seldom one with three times the errors', () => {
  const threefold: ArmModel = { ...healthy, errorShare: () => 0.03 }
  const stable: ArmModel = { ...healthy, errorShare: () => 0.01 }
  const { notWorse } = outcomes(100, { ...half, stable, canary: threefold, seconds: 60 }, 10_000)
  assert.ok(notWorse <= 0.05, `${notWorse}`)
})

test('not found to everything is worse, though no status of it is an error', () => {
  const arm = (refusals: number) => ({
    ...noCounts(judgeOptions.boundsMs.length + 1),
    requests: 50,
    refusals,
  })
  let judge = beginJudge(judgeOptions)
  for (let second = 0; second < 4; second++) judge = observe(judge, { stable: arm(1), canary: arm(50) }, true)
  const { verdict, findings } = decide(judge)
  assert.equal(verdict, 'worse')
  assert.match(findings.at(-1)!.remark, /canary 200 of 200 refused, stable 4 of 200: 10\^\d+\.\d to 1/)
})

test('the remark says what was counted and how strong it is', () => {
  const arm = (requests: number, errors: number) => ({
    ...noCounts(judgeOptions.boundsMs.length + 1),
    requests,
    errors,
  })
  let judge = beginJudge(judgeOptions)
  for (let second = 0; second < 5; second++)
    judge = observe(judge, { stable: arm(40, 0), canary: arm(10, 1) }, false)
  assert.match(
    decide(judge).findings[0]!.remark,
    /^canary 5 of 50 failed, stable 0 of 200: (10\^\d\.\d|\d+) to 1 that it is worse/,
  )
})
