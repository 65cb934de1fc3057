import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalJson, maxJsonDepth, NotJsonError } from './canonical-json.ts'

test('the same value has one text, whatever the order of its keys', () => {
  assert.equal(
    canonicalJson({ b: [1, { d: 2, c: 'é' }], a: null }),
    '{"a":null,"b":[1,{"c":"\\u00e9","d":2}]}',
  )
  assert.equal(
    canonicalJson({ a: null, b: [1, { c: 'é', d: 2 }] }),
    canonicalJson({ b: [1, { d: 2, c: 'é' }], a: null }),
  )
})

test('the text is ASCII and reads back as the value, lone surrogates and control characters too', () => {
  const value = { '😀': '\ud800 \u0000 \u007f \u2028 "\\', '': [-0, 1e21, 5e-324, 0.1] }
  const text = canonicalJson(value)
  assert.match(text, /^[\x20-\x7e]*$/)
  assert.deepEqual(JSON.parse(text), { ...value, '': [0, 1e21, 5e-324, 0.1] })
  assert.equal(canonicalJson(JSON.parse(text)), text)
})

test('an undefined property is left out; anything else that is not JSON is refused with its place', () => {
  assert.equal(canonicalJson({ a: undefined, b: 1 }), '{"b":1}')
  const refused: [unknown, RegExp][] = [
    [undefined, /^\$ is undefined/],
    [{ a: [undefined] }, /^\$\.a\[0\] is undefined/],
    [{ a: Number.POSITIVE_INFINITY }, /^\$\.a is Infinity/],
    [new Map(), /^\$ is a Map/],
    [[1n], /^\$\[0\] is a bigint/],
    [() => 1, /^\$ is a function/],
  ]
  for (const [value, reason] of refused) {
    assert.throws(
      () => canonicalJson(value),
      (error) => error instanceof NotJsonError && reason.test(error.message),
    )
  }
})

test('what refers to itself is refused as too deep, not followed for ever', () => {
  const endless: unknown[] = []
  endless.push(endless)
  assert.throws(() => canonicalJson(endless), new RegExp(`deeper than ${maxJsonDepth} levels`))
})
