import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../../platform/statistics/random.ts'
import { numeral, Script, symbolOf, Unprovable, wholeNumeral } from './script.ts'

test('a figure becomes the decimal that was written, as a fraction', () => {
  assert.equal(numeral(0.1, 'share'), '(/ 1.0 10.0)')
  assert.equal(numeral(12.25, 'work'), '(/ 1225.0 100.0)')
  assert.equal(numeral(0, 'work'), '0.0')
  assert.equal(numeral(1e-7, 'share'), '(/ 1.0 10000000.0)')
  assert.equal(numeral(2 ** 40, 'budget'), '1099511627776.0')
})

test('a fraction of any figure gives that figure again', () => {
  const random = seededRandom(1)
  for (let round = 0; round < 2000; round++) {
    const value = random() * 10 ** (random() * 20 - 9)
    const [, top, bottom] = /^\(\/ (\d+)\.0 (\d+)\.0\)$/.exec(numeral(value, 'figure')) ?? []
    if (top === undefined) assert.equal(numeral(value, 'figure'), `${BigInt(value)}.0`)
    else assert.equal(Number(`${top}e-${String(bottom).length - 1}`), value)
  }
})

test('what is no figure, negative, too large or too fine is refused by name', () => {
  for (const value of [Number.NaN, Infinity, -Infinity, -1, 2 ** 40 + 1, 1e300, 1e-13, 5e-324]) {
    assert.throws(() => numeral(value, 'time-out of a'), { name: 'Unprovable', message: /^time-out of a is/ })
  }
  assert.throws(() => wholeNumeral(1.5, 'replicas'), /replicas is 1\.5: it has to be a whole number/)
})

test('a name may hold anything that a quoted symbol may', () => {
  assert.equal(symbolOf('work of a → (b) "c"; d'), '|work of a → (b) "c"; d|')
  for (const name of ['a|b', 'a\\b', 'a\nb', 'a\u0000b']) assert.throws(() => symbolOf(name), Unprovable)
})

test('two things of one name, and too many things, are refused', () => {
  const script = new Script()
  script.real('work')
  assert.throws(() => script.truth('work'), /two things are named "work"/)
  assert.throws(() => {
    for (let index = 0; index < 10_000; index++) script.real(`x${index}`)
  }, /more than 5000 unknowns/)
})

test('the claim above a script stays a comment', () => {
  const text = new Script().text({ name: 'a\n(assert false)', statement: 'b\r\n(exit)' })
  assert.deepEqual(
    text.split('\n').filter((line) => !line.startsWith(';')),
    ['(check-sat)'],
  )
})
