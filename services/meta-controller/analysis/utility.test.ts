import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../platform/statistics/random.ts'
import type { Risk } from './risk.ts'
import { appraise, limitsBeforeCanary, type ProofOutcome, type Prospect, vetoLimits } from './utility.ts'

const risk: Risk = {
  blastRadius: 1,
  harmProbability: 0.01,
  worstBurn: 0.014,
  rollbackS: 2,
  novelty: 1,
  files: 1,
  lines: 40,
  score: 24,
  fragility: 0,
  confounding: 0,
}
const prospect: Prospect = { gain: 0.3, standardError: 0.1 }

test('the gain counts at its lower confidence limit, less the price of the risk', () => {
  const { utility, isWorthIt, vetoes } = appraise(prospect, risk, [])
  assert.ok(Math.abs(utility - 0.0875) < 1e-12)
  assert.deepEqual([isWorthIt, vetoes], [true, []])
})

test('of two changes with the same gain the more certain one ranks higher', () => {
  const sure = appraise({ ...prospect, standardError: 0.02 }, risk, [])
  assert.ok(sure.utility > appraise(prospect, risk, []).utility)
})

test('an obligation that is refuted or not proven vetoes whatever the gain, in words', () => {
  const outcomes: ProofOutcome[] = [
    { name: 'deadline', status: 'proven' },
    { name: 'timeout inversion', status: 'refuted', remark: 'cart gives db 20 ms, db needs 35 ms' },
    { name: 'retry amplification', status: 'not proven', remark: 'Z3 is absent' },
  ]
  const { vetoes, isWorthIt } = appraise({ gain: 100, standardError: 0 }, risk, outcomes)
  assert.equal(isWorthIt, false)
  assert.deepEqual(
    vetoes.map(({ reason }) => reason),
    [
      'timeout inversion is refuted: cart gives db 20 ms, db needs 35 ms',
      'retry amplification is not proven: Z3 is absent',
    ],
  )
})

test('each limit has its veto, named with figure and limit', () => {
  const worst = { ...risk, worstBurn: 2, harmProbability: 0.7, rollbackS: 900, confounding: 1 }
  const { vetoes } = appraise(prospect, worst, [])
  assert.deepEqual(
    vetoes.map(({ name }) => name),
    ['worst burn', 'harm', 'rollback', 'confounding'],
  )
  assert.match(vetoes[0]!.reason, /200 % of the error budget, 50 % is the limit/)
})

test('what is not a number is refused', () => {
  for (const broken of [
    { ...prospect, gain: Number.NaN },
    { ...prospect, standardError: Number.NaN },
    { ...prospect, standardError: Infinity },
  ]) {
    const { utility, isWorthIt } = appraise(broken, risk, [])
    assert.deepEqual([utility, isWorthIt], [-Infinity, false])
  }
  assert.equal(appraise(prospect, { ...risk, worstBurn: Number.NaN }, []).vetoes.length, 1)
})

test('no worsening of anything ever turns a no into a yes', () => {
  const random = seededRandom(11)
  const flips = { checked: 0 }
  for (let round = 0; round < 2000; round++) {
    const base: Risk = {
      ...risk,
      harmProbability: random() * 0.7,
      worstBurn: random() * 0.8,
      rollbackS: random() * 400,
      confounding: random() * 0.7,
      score: Math.floor(random() * 101),
    }
    const hope = { gain: random() * 0.6, standardError: random() * 0.2 }
    const before = appraise(hope, base, [])
    const worsened = [
      ...(['harmProbability', 'worstBurn', 'rollbackS', 'confounding', 'score'] as const).map((key) =>
        appraise(hope, { ...base, [key]: base[key] * (1 + random()) }, []),
      ),
      appraise({ ...hope, gain: hope.gain - random() }, base, []),
      appraise({ ...hope, standardError: hope.standardError * 2 }, base, []),
      appraise(hope, base, [{ name: 'quota', status: 'refuted' }]),
    ]
    for (const after of worsened) {
      assert.ok(after.utility <= before.utility && !(after.isWorthIt && !before.isWorthIt))
      flips.checked++
    }
  }
  assert.equal(flips.checked, 16_000)
})

test('before a canary harm must be likely, and no other limit is wider', () => {
  const even = { ...risk, harmProbability: 0.6 }
  const likely = { ...risk, harmProbability: 0.95 }
  const vetoed = (one: Risk) => appraise(prospect, one, [], limitsBeforeCanary).vetoes.map(({ name }) => name)
  assert.deepEqual(vetoed(even), [])
  assert.deepEqual(vetoed(likely), ['harm'])
  assert.deepEqual({ ...limitsBeforeCanary, harmProbability: 0.5 }, vetoLimits)
})
