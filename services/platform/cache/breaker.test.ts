import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testClock } from '../clock.testing.ts'
import { Breaker, type BreakerState } from './breaker.ts'

function breaker() {
  const clock = testClock()
  const moves: BreakerState[] = []
  const options = {
    failuresToOpen: 3,
    openMs: 1_000,
    clock,
    onChange: (state: BreakerState) => void moves.push(state),
  }
  return { clock, moves, breaker: new Breaker(options) }
}

function fail(subject: Breaker, times: number): void {
  for (let count = 0; count < times; count += 1) {
    assert.equal(subject.admit(), true)
    subject.failed()
  }
}

test('it opens after failures in a row, not after as many with a success in between', () => {
  const { breaker: subject, moves } = breaker()
  fail(subject, 2)
  subject.succeeded()
  fail(subject, 2)
  assert.equal(subject.state, 'closed')
  fail(subject, 1)
  assert.deepEqual(moves, ['open'])
  assert.equal(subject.admit(), false)
})

test('when its time is over it lets one probe through, whose success closes it', () => {
  const { breaker: subject, clock, moves } = breaker()
  fail(subject, 3)
  clock.advance(999)
  assert.equal(subject.admit(), false)
  clock.advance(1)
  assert.equal(subject.admit(), true)
  assert.equal(subject.admit(), false)
  subject.succeeded()
  assert.equal(subject.admit(), true)
  assert.deepEqual(moves, ['open', 'half-open', 'closed'])
})

test('a probe that fails opens it for the whole time again', () => {
  const { breaker: subject, clock, moves } = breaker()
  fail(subject, 3)
  clock.advance(1_000)
  fail(subject, 1)
  clock.advance(999)
  assert.equal(subject.admit(), false)
  clock.advance(1)
  assert.equal(subject.admit(), true)
  assert.deepEqual(moves, ['open', 'half-open', 'open', 'half-open'])
})
