import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Finding } from './judge/finding.ts'
import type { JudgeVerdict } from './judge/judge.ts'
import { isWarm, minStepRequests, nextMove, type Standing } from './steps.ts'

const steps = [
  { weight: 20, minSeconds: 5 },
  { weight: 50, minSeconds: 10 },
]

function standing(verdict: JudgeVerdict, changes: Partial<Standing> = {}, log10Worse = 0): Standing {
  return {
    judgement: { verdict, findings: [{ name: 'errors', log10Worse } as Finding] },
    step: 0,
    steps,
    secondsSinceStart: 6,
    secondsSinceFirstTraffic: 6,
    secondsInStep: 6,
    canaryRequestsInStep: minStepRequests,
    canaryRequests: 200,
    maxSeconds: 120,
    ...changes,
  }
}

test('worse aborts at any moment, also in the first second', () => {
  assert.equal(nextMove(standing('worse', { secondsInStep: 0, secondsSinceStart: 1 })), 'abort')
  assert.equal(nextMove(standing('worse', { secondsSinceStart: 500 })), 'abort')
})

test('a step is left after its time, with requests answered, and without suspicion', () => {
  assert.equal(nextMove(standing('not enough evidence')), 'advance')
  assert.equal(nextMove(standing('not enough evidence', { secondsInStep: 4 })), 'stay')
  assert.equal(nextMove(standing('not enough evidence', { secondsSinceFirstTraffic: 4 })), 'stay')
  assert.equal(
    nextMove(standing('not enough evidence', { canaryRequestsInStep: minStepRequests - 1 })),
    'stay',
  )
  assert.equal(nextMove(standing('not enough evidence', {}, 1.2)), 'stay')
})

test('only the last step promotes, only after its time, and only on evidence', () => {
  const last = { step: 1, secondsInStep: 11, secondsSinceFirstTraffic: 17 }
  assert.equal(nextMove(standing('not worse')), 'advance')
  assert.equal(nextMove(standing('not worse', last)), 'promote')
  assert.equal(nextMove(standing('not worse', { ...last, secondsInStep: 9 })), 'stay')
  assert.equal(nextMove(standing('not enough evidence', last)), 'stay')
})

test('time without evidence gives up, and never promotes', () => {
  const late = { step: 1, secondsSinceStart: 120, secondsInStep: 100, secondsSinceFirstTraffic: undefined }
  assert.equal(nextMove(standing('not enough evidence', late)), 'give up')
  assert.equal(nextMove(standing('not worse', late)), 'give up')
})

test('latency is judged once the canary is warm: after five seconds and fifty requests, at whatever step', () => {
  const warm = { secondsSinceFirstTraffic: 5, canaryRequests: 50 }
  assert.equal(isWarm(warm), true)
  assert.equal(isWarm({ ...warm, secondsSinceFirstTraffic: 4 }), false)
  assert.equal(isWarm({ ...warm, secondsSinceFirstTraffic: undefined }), false)
  assert.equal(isWarm({ ...warm, canaryRequests: 49 }), false)
})
