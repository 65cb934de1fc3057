import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../platform/eventually.testing.ts'
import { cutIntoPassages, maxPassageChars } from './passages.ts'

const cut = (text: string) =>
  cutIntoPassages(text).map(({ offset, length }) => text.slice(offset, offset + length))

test('a short text is one passage, without the blanks around it', () => {
  assert.deepEqual(cut('  One.\n\nTwo.\n'), ['One.\n\nTwo.'])
})

test('a text without a visible character has no passage', () => {
  for (const text of ['', ' ', '\n\t\u00a0\u2003']) assert.deepEqual(cut(text), [])
})

test('a long text is cut between paragraphs, and a heading begins a passage', () => {
  const paragraph = 'Words about it. '.repeat(40).trim()
  const text = `# One\n\n${paragraph}\n\n${paragraph}\n\n# Two\n\n${paragraph}`
  const passages = cut(text)
  assert.deepEqual(
    passages.map((passage) => passage.slice(0, 5)),
    ['# One', '# Two'],
  )
})

test('a long paragraph is cut between sentences', () => {
  const passages = cut('This is a sentence of the text. '.repeat(200))
  assert.ok(passages.length > 3)
  for (const passage of passages) assert.match(passage, /^This .* text\.$/)
})

test('a text without any blank is cut, but never inside a character', () => {
  const passages = cut('😀'.repeat(2000))
  assert.ok(passages.every((passage) => passage.isWellFormed()))
  assert.equal(passages.join(''), '😀'.repeat(2000))
})

test('whatever the text: no passage is too long, none overlap, and only blanks are left out', () => {
  const random = seededRandom(7)
  const parts = [
    'word ',
    'Sentence ends. ',
    '\n\n',
    '\n',
    '# Head\n',
    '😀',
    '\t',
    'x'.repeat(700),
    '\u3002',
    ' ',
    '\r\n\r\n',
  ]
  for (let round = 0; round < 200; round += 1) {
    const text = Array.from(
      { length: random() * 300 },
      () => parts[Math.floor(random() * parts.length)],
    ).join('')
    let end = 0
    for (const { offset, length } of cutIntoPassages(text)) {
      assert.ok(length > 0 && length <= maxPassageChars)
      assert.ok(offset >= end)
      assert.match(text.slice(end, offset), /^\s*$/)
      assert.ok(text.slice(offset, offset + length).isWellFormed())
      end = offset + length
    }
    assert.match(text.slice(end), /^\s*$/)
  }
})
