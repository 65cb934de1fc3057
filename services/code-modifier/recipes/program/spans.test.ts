import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { InvariantError } from '../../../platform/invariant.ts'
import { applySpans, changeFile, SourceTextError, type Span } from './spans.ts'

test('what lies outside the spans stays, for any spans in any order', () => {
  let state = 7
  const random = (below: number) => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
  for (let round = 0; round < 200; round++) {
    const text = Array.from({ length: 40 }, () => 'ab\r\n\t é☕'[random(8)]).join('')
    const edges = Array.from({ length: 8 }, () => random(text.length)).sort((a, b) => a - b)
    const spans: Span[] = [0, 2, 4, 6].map((at) => ({
      start: edges[at]!,
      end: edges[at + 1]!,
      text: `<${at}>`,
    }))
    const outside = [0, ...edges, text.length]
    const expected = [0, 2, 4, 6, 8].map((at) => text.slice(outside[at], outside[at + 1]))
    const result = applySpans(
      text,
      spans.toSorted(() => random(3) - 1),
    )
    assert.deepEqual(result.split(/<\d>/), expected)
  }
})

test('insertions at one place keep their order; overlapping spans are a bug', () => {
  const at = (start: number, end: number, text: string) => ({ start, end, text })
  assert.equal(applySpans('ab', [at(1, 1, '1'), at(1, 1, '2'), at(1, 2, 'B')]), 'a12B')
  assert.throws(() => applySpans('abc', [at(0, 2, ''), at(1, 3, '')]), InvariantError)
  assert.throws(() => applySpans('abc', [at(2, 9, '')]), InvariantError)
})

test('a file that is not UTF-8, or not the one that was analysed, is left alone', (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-spans-'))
  t.after(() => rmSync(folder, { recursive: true }))
  writeFileSync(path.join(folder, 'latin.ts'), Buffer.from([0x2f, 0x2f, 0xe9]))
  assert.throws(() => changeFile(folder, 'latin.ts', '//\ufffd', []), SourceTextError)
  writeFileSync(path.join(folder, 'new.ts'), 'export {}')
  assert.throws(() => changeFile(folder, 'new.ts', 'export const a = 1', []), SourceTextError)
})
