import assert from 'node:assert/strict'
import { test } from 'node:test'
import { digestOf, digestOfText } from './digest.ts'

test('the order of keys does not change a digest, a value does', () => {
  assert.equal(digestOf({ a: 1, b: { c: 2, d: 3 } }), digestOf({ b: { d: 3, c: 2 }, a: 1 }))
  assert.notEqual(digestOf({ a: 1 }), digestOf({ a: 2 }))
})

test('a digest is the SHA-256 of the canonical text', () => {
  // printf '{"a":1}' | sha256sum
  assert.equal(digestOf({ a: 1 }), '015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862')
  assert.equal(digestOfText('{"a":1}'), digestOf({ a: 1 }))
})
