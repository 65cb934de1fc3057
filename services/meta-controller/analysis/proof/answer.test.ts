import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readValues, unasked, verdictOf } from './answer.ts'
import type { Obligation } from './obligation.ts'

const obligation: Obligation = {
  property: 'deadline',
  name: 'deadline of a',
  statement: 'a answers within 5 ms',
  smt: '(check-sat)',
  questions: ['work of a'],
  explain: (values) => `a takes ${values.get('work of a')} ms`,
}

function verdictOn(output: string, values = '') {
  return verdictOf(obligation, { kind: 'answered', output, values, ms: 1 })
}

test('unsat is the proof, sat a counterexample in words and values', () => {
  assert.equal(verdictOn('\nunsat\n').status, 'proven')
  const refuted = verdictOn('sat', '((|work of a| (/ 13.0 2.0)))')
  assert.equal(refuted.status, 'refuted')
  assert.deepEqual(refuted.counterexample, { words: 'a takes 6.5 ms', values: { 'work of a': 6.5 } })
})

test('whatever else a solver says is no proof', () => {
  const answers = [
    ['', 'answered nothing'],
    ['unknown', 'could not tell'],
    ['(error "line 1: bad")', 'answered \\(error'],
    ['unsat\nunsat', 'answered unsat unsat'],
    ['(error "x")\nunsat', 'answered \\(error'],
    ['UNSAT', 'answered UNSAT'],
    [`sat${'x'.repeat(1000)}`, ' …$'],
  ] as const
  for (const [output, reason] of answers) {
    const verdict = verdictOn(output)
    assert.equal(verdict.status, 'not proven')
    assert.match(verdict.reason ?? '', new RegExp(reason))
  }
  assert.match(verdictOn('sat', 'rubbish').reason ?? '', /no readable counterexample: rubbish/)
})

test('what was not asked is not proven, and says why', () => {
  assert.deepEqual(
    [unasked(obligation, 'no time').status, unasked(obligation, 'no time').reason],
    ['not proven', 'no time'],
  )
})

test('values are read as fractions, negative ones and truths', () => {
  const text = '((|a → (b)| (- (/ 1.0 4.0)))\n (x 3) (|y| true) (z false))'
  assert.deepEqual(
    [...(readValues(text, ['a → (b)', 'x', 'y', 'z']) ?? [])],
    [
      ['a → (b)', -0.25],
      ['x', 3],
      ['y', 1],
      ['z', 0],
    ],
  )
  assert.deepEqual(readValues('', []), new Map())
})

test('values that are anything else are not read', () => {
  const bad = [
    '',
    '((x))',
    '((x 1) (y 2))',
    '(x 1',
    '((x 1)))',
    '((x (/ 1.0 0.0)))',
    '((x (root-obj (+ (^ x 2) (- 2)) 1)))',
    '((x 0x1))',
    '('.repeat(1e5),
  ]
  for (const text of bad) assert.equal(readValues(text, ['x']), undefined, text.slice(0, 40))
})
