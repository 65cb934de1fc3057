import assert from 'node:assert/strict'
import { test } from 'node:test'
import { odds, standing } from './finding.ts'

const open = { log10Worse: 0, abortAt: 2, isShownWorse: false, isShownNotWorse: false }

test('odds are plain numbers up to a hundred, and powers of ten from there', () => {
  assert.deepEqual([0.3, 1.08, 2, 3.14].map(odds), ['2 to 1', '12 to 1', '10^2.0 to 1', '10^3.1 to 1'])
})

test('a question stands as worse, as not worse, as suspect with what would abort, or open', () => {
  assert.equal(
    standing({ ...open, log10Worse: 3.1, isShownWorse: true }, 'fine'),
    '10^3.1 to 1 that it is worse',
  )
  assert.equal(standing({ ...open, isShownNotWorse: true }, 'fine'), 'fine')
  assert.equal(standing({ ...open, log10Worse: 1.3 }, 'fine'), '20 to 1 that it is worse, 10^2.0 to 1 aborts')
  assert.equal(standing(open, 'fine'), 'not enough to tell')
})
