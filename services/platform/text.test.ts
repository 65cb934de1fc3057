import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fold, stemsOf, tokenize } from './text.ts'

const words = (text: string) => tokenize(text).map(({ word }) => word)

test('words are folded: case, accents, compatibility forms', () => {
  assert.deepEqual(words('Éric’s ﬁancée İstanbul'), ['eric', 'fiancee', 'istanbul'])
  assert.equal(fold('Ångström'), 'angstrom')
})

test('words are found in any script, and without spaces a character is a word', () => {
  assert.deepEqual(words('Привет мир'), ['привет', 'мир'])
  assert.deepEqual(words('مرحبا بالعالم'), ['مرحبا', 'بالعالم'])
  assert.deepEqual(words('東京 2020'), ['東', '京', '2020'])
  assert.deepEqual(words('😀 \u0000 — …'), [])
})

test('tokens keep their places in the text', () => {
  const text = 'Où est «Zoë»? 😀 Ici.'
  for (const { start, end, word } of tokenize(text)) assert.equal(fold(text.slice(start, end)), word)
})

test('sentences end at full stops, but not after initials and abbreviations', () => {
  const sentences = (text: string) => (tokenize(text).at(-1)?.sentence ?? -1) + 1
  assert.equal(sentences('One is here. Two is there! Is three? Yes.'), 4)
  assert.equal(sentences('J. K. Rowling met Dr. Smith at 5.30 p.m. on time.'), 1)
  assert.equal(sentences('A heading\n\nA paragraph'), 2)
  assert.equal(sentences('日本。東京。'), 2)
})

test('stems leave out words without meaning of their own', () => {
  assert.deepEqual(stemsOf(tokenize('The engines were running in the caches')), ['engin', 'run', 'cach'])
})

test('a megabyte of anything is read in linear time', () => {
  const hostile = [
    'a'.repeat(1e6),
    '.'.repeat(1e6),
    'A.'.repeat(5e5),
    "'s".repeat(5e5),
    '\n '.repeat(5e5),
    '漢'.repeat(1e6),
  ]
  for (const text of hostile) {
    const startMs = performance.now()
    tokenize(text)
    assert.ok(performance.now() - startMs < 5000)
  }
})
