import assert from 'node:assert/strict'
import { test } from 'node:test'
import { argo, argoDocsSample, phaseOf } from './argo.ts'
import { flagger } from './flagger.ts'
import type { PeerJudge, Verdict, Window } from './judge.ts'
import { classifyMetric, kayenta, scoreOf } from './kayenta.ts'
import { shiftBetween } from './mann-whitney.ts'

const window = (errors: number, seconds = 60, stableErrors = 0): Window => ({
  canary: { requests: 1000, errors },
  stable: { requests: 9000, errors: stableErrors },
  seconds,
})

/** Calls the judge with one window after another until it says something; gives what and after how many seconds. */
function run(judge: PeerJudge, windowAt: (call: number) => Window): { verdict: Verdict; seconds: number } {
  for (let call = 1; call <= 1000; call++) {
    const verdict = judge.observe(windowAt(call))
    if (verdict !== 'continue') return { verdict, seconds: call * judge.intervalS }
  }
  return { verdict: 'continue', seconds: Number.POSITIVE_INFINITY }
}

const near = (actual: number, expected: number, tolerance: number) =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected} within ${tolerance}`)

test('the Mann-Whitney interval is the one that spinnaker issue 6278 printed', () => {
  const experiment = [100, 100, 100, 100, 100, 100, 100, 1, 1, 1]
  const { lower, upper, estimate } = shiftBetween(experiment, Array(10).fill(1), 0.98)
  near(lower, 6.825022991538781e-5, 1e-12)
  near(upper, 99, 1e-9)
  near(estimate, 98.99992904170193, 1e-9)
})

test('Kayenta passes seven of ten points at a hundred times the baseline, and fails the eighth (spinnaker issue 6278)', () => {
  const canary = (bad: number, value = 100) =>
    Array.from({ length: 10 }, (_, index) => (index < bad ? value : 1))
  const options = { direction: 'either', allowedIncrease: 1.05, critical: true } as const
  for (const value of [2, 3, 100, 1000])
    assert.equal(classifyMetric(Array(10).fill(1), canary(7, value), options), 'Pass')
  assert.equal(classifyMetric(Array(10).fill(1), canary(8), options), 'High')
})

test('Kayenta passes sparse errors over a baseline without any (kayenta issue 426)', () => {
  assert.equal(classifyMetric(Array(6).fill(0), [0, 1, 2, 1, 0, 0]), 'Pass')
})

test('Kayenta passes redirects that the baseline never sent (spinnaker issue 5622)', () => {
  const nan = Number.NaN
  const canary = [nan, 0.048, nan, 0.18, 0.089, nan, 0.098, 0.035, nan, nan]
  const options = { direction: 'increase', nanStrategy: 'replace' } as const
  assert.equal(classifyMetric(Array(10).fill(nan), canary, options), 'Pass')
})

test('Kayenta passes a canary that varies quite otherwise than its baseline (kayenta issue 780)', () => {
  const canary = [10, 10.1, 10.2, 10.3, 10.4, 10.5, 10.6, 17, 17.1, 17.2, 17.3, 17.4, 17.5, 17.6, 17.7]
  const control = [1, 100, 4, 101, 5, 102, 6, 103, 7, 104, 8, 105, 9, 106, 17]
  assert.equal(classifyMetric(control, canary), 'Pass')
})

test('Kayenta calls a plain shift High or Low, and equal data Pass', () => {
  const control = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
  const shifted = control.map((value) => value + 100)
  assert.equal(classifyMetric(control, shifted), 'High')
  assert.equal(classifyMetric(shifted, control), 'Low')
  assert.equal(classifyMetric(control, shifted, { direction: 'decrease' }), 'Pass')
  assert.equal(classifyMetric(control, [...control].reverse()), 'Pass')
  assert.equal(classifyMetric(control, shifted, { allowedIncrease: 10 }), 'Pass')
})

test('Kayenta tells constant samples of two values apart, and has no data where there is none', () => {
  assert.equal(classifyMetric(Array(10).fill(10), Array(10).fill(20)), 'High')
  assert.equal(classifyMetric(Array(10).fill(10), Array(10).fill(10)), 'Pass')
  assert.equal(classifyMetric([], [1]), 'Nodata')
  assert.equal(classifyMetric([Number.NaN], [1]), 'Nodata')
})

test("Kayenta's score weighs groups, and a judge that failed everywhere scores 100", () => {
  const metric = (classification: 'Pass' | 'High' | 'Nodata' | 'Error', group: string, critical = false) =>
    ({ classification, groups: [group], critical }) as const
  assert.equal(scoreOf([metric('Pass', 'a'), metric('High', 'b')]), 50)
  assert.equal(scoreOf([metric('Pass', 'a'), metric('High', 'b')], { a: 80 }), 80)
  assert.equal(scoreOf([metric('Error', 'a'), metric('Error', 'b')]), 100)
  assert.equal(scoreOf([metric('Pass', 'a'), metric('High', 'b', true)]), 0)
  assert.equal(scoreOf([metric('Pass', 'a'), metric('Nodata', 'b')]), 0)
})

test('Kayenta aborts at its first judgement of a tenfold error rate, and promotes an equal canary at the end', () => {
  const bad = run(kayenta({ judgeEveryS: 300 }), (call) => window(50 + (call % 5), 60, 45 + (call % 3)))
  assert.deepEqual(bad, { verdict: 'abort', seconds: 300 })
  const once = run(kayenta(), (call) => window(50 + (call % 5), 60, 45 + (call % 3)))
  assert.deepEqual(once, { verdict: 'abort', seconds: 900 })
  const good = run(kayenta(), (call) => window(5 + (call % 5), 60, 45 + ((call * 7) % 45)))
  assert.deepEqual(good, { verdict: 'promote', seconds: 900 })
})

test('Argo fails at the first bad measurement by default, at the third of all with limit 2', () => {
  assert.deepEqual(
    run(argo(), (call) => window(call === 4 ? 11 : 10)),
    { verdict: 'abort', seconds: 240 },
  )
  const everyOther = (call: number) => window(call % 2 === 0 ? 11 : 0)
  assert.deepEqual(run(argo({ failureLimit: 2 }), everyOther), { verdict: 'abort', seconds: 360 })
})

test('Argo promotes by time alone, and its steps say the weight', () => {
  const judge = argo({ failureLimit: 2 })
  assert.equal(judge.weightPercent, 10)
  assert.deepEqual(
    run(judge, (call) => window(call <= 2 ? 1000 : 0)),
    { verdict: 'promote', seconds: 900 },
  )
  assert.equal(judge.weightPercent, 50)
  assert.equal(judge.observe(window(1000)), 'promote', 'what has ended stays ended')
})

test("Argo's documented sample is blind before its fourth measurement and to a canary below one in twenty", () => {
  assert.deepEqual(
    run(argoDocsSample(), () => window(1000, 15)),
    { verdict: 'abort', seconds: 1200 },
  )
  assert.equal(run(argoDocsSample(), () => window(499, 15)).verdict, 'promote')
})

test('Argo takes no traffic for a failure, both conditions false for inconclusive, a throw for an error', () => {
  const none: Window = {
    canary: { requests: 0, errors: 0 },
    stable: { requests: 10, errors: 0 },
    seconds: 60,
  }
  assert.equal(phaseOf(none, {}), 'Failed')
  const both = { successCondition: () => false, failureCondition: () => false }
  assert.equal(phaseOf(none, both), 'Inconclusive')
  assert.equal(phaseOf(none, { failureCondition: () => false }), 'Successful')
  assert.equal(run(argo(both), () => none).verdict, 'pause')
  const failing = { successCondition: () => raise() }
  assert.deepEqual(
    run(argo(failing), () => none),
    { verdict: 'abort', seconds: 300 },
  )
})

function raise(): never {
  throw new Error('no such field')
}

test('Argo can look back further than its interval', () => {
  const judge = argo({ intervalS: 10, lookbackS: 60 })
  const verdicts = Array.from({ length: 6 }, (_, call) => judge.observe(window(call === 5 ? 61 : 0, 10)))
  assert.deepEqual(verdicts, ['continue', 'continue', 'continue', 'continue', 'continue', 'abort'])
})

test("Flagger's tutorial rolls back a canary that always fails after six minutes, one late", () => {
  assert.deepEqual(
    run(flagger(), () => window(1000)),
    { verdict: 'abort', seconds: 360 },
  )
})

test('Flagger advances a step a minute, holds the weight on a failed check and promotes at the greatest weight', () => {
  const judge = flagger()
  const weights = [0, 0, 11, 0, 0].map((errors) => {
    assert.equal(judge.observe(window(errors)), 'continue')
    return judge.weightPercent
  })
  assert.deepEqual(weights, [20, 30, 30, 40, 50])
  assert.equal(judge.observe(window(0)), 'promote')
})

test('Flagger never forgets a failed check, and takes missing traffic and slow answers for failed ones', () => {
  const judge = flagger({ threshold: 3, maxWeight: 100 })
  const empty: Window = { ...window(0), canary: { requests: 0, errors: 0 } }
  const slow: Window = { ...window(0), canary: { requests: 1000, errors: 0, p99Ms: 501 } }
  const verdicts = [empty, window(0), slow, window(0), window(11), window(0)].map((one) => judge.observe(one))
  assert.deepEqual(verdicts, ['continue', 'continue', 'continue', 'continue', 'continue', 'abort'])
})
