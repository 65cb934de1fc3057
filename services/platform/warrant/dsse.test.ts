import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCanonical, preAuthenticationEncoding } from './dsse.ts'

test('the pre-authentication encoding is the one of the DSSE specification', () => {
  const encoded = preAuthenticationEncoding('http://example.com/HelloWorld', Buffer.from('hello world'))
  assert.equal(encoded.toString('utf8'), 'DSSEv1 29 http://example.com/HelloWorld 11 hello world')
})

test('lengths are counted in bytes', () => {
  assert.equal(preAuthenticationEncoding('ä', Buffer.from('é')).toString('utf8'), 'DSSEv1 2 ä 2 é')
})

test('only canonical JSON is read: no spaces, no duplicate or unsorted keys, no second spelling of a number or a letter', () => {
  assert.deepEqual(parseCanonical('{"a":1,"b":[true]}'), { a: 1, b: [true] })
  for (const text of [
    '{"a": 1}',
    '{"a":1,"a":1}',
    '{"b":1,"a":1}',
    '[1.0]',
    '[1e0]',
    '["\\u0061"]',
    '[1]\n',
    '',
  ]) {
    assert.equal(parseCanonical(text), undefined, text)
  }
})
