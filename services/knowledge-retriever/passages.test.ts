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

const sentence = 'Words about it stand here. '
const fill = (chars: number) => sentence.repeat(Math.ceil(chars / sentence.length)).trim()

test('a heading stays with what follows it, also over a blank line, marked or underlined', () => {
  for (const heading of ['## The second part', 'The second part\n---------------', 'The second part\n===']) {
    const passages = cut(`${fill(1300)}\n\n${heading}\n\n${fill(600)}`)
    assert.equal(passages.length, 2)
    assert.ok(passages[1]?.startsWith(heading))
  }
  assert.equal(cut(`${fill(2900)}\n\n# The end`).at(-1), '# The end')
})

test('fenced code is one passage where it fits, whatever stands in it', () => {
  const code = `\`\`\`sh\n# no heading\nmake all\n\n${'make more\n'.repeat(40)}# nor this\n\`\`\``
  const passages = cut(`${fill(1200)}\n${code}\n${fill(1200)}`)
  assert.deepEqual(passages, [fill(1200), code, fill(1200)])
})

test('long fenced code is cut between lines, before a blank line where it can', () => {
  const step = `step() {\n${'  echo one. Then two.\n'.repeat(20)}}`
  const passages = cut(`~~~\n${Array.from({ length: 8 }, () => step).join('\n\n')}\n~~~`)
  assert.ok(passages.length > 2)
  for (const passage of passages.slice(1)) assert.match(passage, /^step\(\) \{/)
})

test('a fence that is never closed goes to the end of the text', () => {
  const text = `\`\`\`\n${'let x = 1\n'.repeat(400)}`
  const passages = cut(text)
  assert.equal(passages.join('\n'), text.trim())
})

test('a program is cut before its declarations, and its comments are no headings', () => {
  const python = (name: string) =>
    `# does ${name}. Not more.\ndef ${name}(a, b):\n${'    a = a + b  # adds. Then on.\n'.repeat(25)}    return a\n`
  const names = ['first', 'second', 'third', 'fourth']
  const passages = cut(names.map(python).join('\n'))
  assert.deepEqual(
    passages.map((passage) => /^# does (\w+)/.exec(passage)?.[1]),
    names,
  )
  const script = Array.from(
    { length: 9 },
    (_, index) => `export function f${index}(): void {\n${'  work()\n\n'.repeat(60)}}\n`,
  )
  for (const passage of cut(script.join('\n'))) assert.match(passage, /^(?:export function|work\(\)|\})/)
})

test('prose with some lines that look like code is prose', () => {
  const text = `${fill(900)}\n\n    four blanks;\n\n# A heading\n\n${fill(900)}`
  assert.deepEqual(cut(text).length, 2)
  assert.ok(cut(text)[1]?.startsWith('# A heading'))
})

test('ten thousand words without a full stop are cut between words', () => {
  const passages = cut('word '.repeat(10_000))
  assert.ok(passages.length > 30)
  assert.equal(passages.join(' '), 'word '.repeat(10_000).trim())
})

test('a long text is cut in time that grows with its length', () => {
  const milliseconds = (text: string) => {
    const began = performance.now()
    cutIntoPassages(text)
    return performance.now() - began
  }
  for (const unit of ['x', '# x\n', '```\n', '\n', 'a\n---\n', '  {\n', '. ']) {
    const taken = milliseconds(unit.repeat(Math.ceil(1_048_576 / unit.length)))
    assert.ok(taken < 5_000, `${JSON.stringify(unit)}: ${taken} ms`)
  }
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
    '```\n',
    '~~~~\n',
    '---\n',
    '  indented {\n',
    '}\n',
    'const x = 1;\n',
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
