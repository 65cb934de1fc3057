import assert from 'node:assert/strict'
import { test } from 'node:test'
import { calibrate } from './burstiness.ts'
import { beginFailures, type Failures, judgeFailures, observeFailures } from './failures.ts'

const options = {
  name: 'errors',
  alpha: 0.005,
  beta: 0.05,
  allowedShare: 0.01,
  burstiness: calibrate([]),
} as const

function after(slots: number, stableEvents: number, canaryEvents: number, requests = 50): Failures {
  let failures = beginFailures(options)
  for (let slot = 0; slot < slots; slot++) {
    failures = observeFailures(failures, {
      stable: { requests, errors: stableEvents, refusals: 0, latencyCounts: [] },
      canary: { requests, errors: canaryEvents, refusals: 0, latencyCounts: [] },
    })
  }
  return failures
}

test('no failure in enough requests is not worse, by the share that is allowed', () => {
  assert.equal(judgeFailures(after(5, 0, 0)).isShownNotWorse, false)
  const finding = judgeFailures(after(10, 0, 0))
  assert.equal(finding.isShownNotWorse, true)
  assert.match(finding.remark, /^canary 0 of 500 failed, stable 0 of 500: 0\.\d+ % at most, 1 % is allowed$/)
})

test('as many failures as stable, far above what is allowed, is not worse by comparison', () => {
  const finding = judgeFailures(after(60, 2, 2))
  assert.equal(finding.isShownNotWorse, true)
  assert.match(finding.remark, /shown to be less than 2 times stable's share$/)
})

test('one slot, however bad, does not show worse; a few do', () => {
  assert.equal(judgeFailures(after(1, 0, 50)).isShownWorse, false)
  const finding = judgeFailures(after(4, 0, 50))
  assert.equal(finding.isShownWorse, true)
  assert.ok(finding.log10Worse >= finding.abortAt)
  assert.deepEqual([finding.stableValue, finding.canaryValue], [0, 1])
})

test('a canary within its allowance is not called good while evidence against it grows', () => {
  const finding = judgeFailures(after(30, 0, 1, 2000))
  assert.ok(finding.canaryValue < 0.01)
  assert.equal(finding.isShownNotWorse, false)
})

test('fewer failures than stable is never evidence against the canary', () => {
  assert.ok(judgeFailures(after(20, 5, 1)).log10Worse < 0)
})
