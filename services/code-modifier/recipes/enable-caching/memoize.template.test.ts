import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoize, type Primitive } from './memoize.template.ts'

/** A function that counts its calls by their arguments. */
function counted(options: { maxEntries?: number; ttlMs?: number } = {}) {
  const calls: (readonly Primitive[])[] = []
  const compute = (...args: readonly Primitive[]) => {
    calls.push(args)
    return calls.length
  }
  return { calls, kept: memoize(compute, { maxEntries: 100, ttlMs: 1_000, ...options }) }
}

test('a second call with the same arguments gives the kept result', () => {
  const { calls, kept } = counted()
  assert.deepEqual([kept('a', 1), kept('a', 1), kept('a', 2)], [1, 1, 2])
  assert.equal(calls.length, 2)
})

test('arguments that look alike are told apart', () => {
  const { kept } = counted()
  const calls: (readonly Primitive[])[] = [
    ...[
      1,
      '1',
      1n,
      '1n',
      true,
      'true',
      null,
      'null',
      undefined,
      'undefined',
      NaN,
      'NaN',
      0,
      -0,
      '-0',
      '',
    ].map((value) => [value]),
    [],
    ['a', 'b'],
    ['a,b'],
    ['"a","b"'],
    ['a"', '"b'],
    ['\ud800'],
    ['\\ud800'],
    [1, undefined],
    [1.5, 2],
    [1, 5.2],
  ]
  const results = calls.map((args) => kept(...args))
  assert.equal(new Set(results).size, calls.length)
  assert.deepEqual(
    calls.map((args) => kept(...args)),
    results,
  )
})

test('beyond the bound the result that was asked for longest ago goes', () => {
  const { calls, kept } = counted({ maxEntries: 2 })
  kept('a')
  kept('b')
  kept('a')
  kept('c')
  assert.equal(kept('a'), 1)
  assert.equal(kept('b'), 4)
  assert.equal(calls.length, 4)
})

test('a result is computed anew when its time is over, by a clock that nobody sets', (t) => {
  let nowMs = 5_000
  t.mock.method(performance, 'now', () => nowMs)
  t.mock.timers.enable({ apis: ['Date'], now: 10 ** 12 })
  const { kept } = counted({ ttlMs: 1_000 })
  assert.equal(kept('a'), 1)
  t.mock.timers.setTime(10 ** 13)
  nowMs += 999
  assert.equal(kept('a'), 1)
  nowMs += 1
  assert.equal(kept('a'), 2)
})

test('an error is thrown and not kept', () => {
  let fails = true
  const kept = memoize(
    (text: string) => {
      if (fails) throw new RangeError(text)
      return text.length
    },
    { maxEntries: 1, ttlMs: 1_000 },
  )
  assert.throws(() => kept('abc'), RangeError)
  fails = false
  assert.equal(kept('abc'), 3)
})

test('a function may ask its own memo', () => {
  const paths: (n: number) => number = memoize(
    (n: number): number => (n < 2 ? n : paths(n - 1) + paths(n - 2)),
    {
      maxEntries: 10,
      ttlMs: 1_000,
    },
  )
  assert.equal(paths(60), 1_548_008_755_920)
})

test('what does not keep to its type, or is very long, is computed each time', () => {
  const { calls, kept } = counted()
  const given = [{ tenant: 'a' }, { tenant: 'b' }, ['a'], Symbol('a'), () => 1, 'x'.repeat(100_000)]
  for (const value of [...given, ...given]) kept(value as unknown as string)
  assert.equal(calls.length, 2 * given.length)
})
