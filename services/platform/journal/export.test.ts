import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { systemClock } from '../clock.ts'
import { seededRandom } from '../eventually.testing.ts'
import { exportJournal, verifyExport } from './export.ts'
import type { Journal } from './journal.ts'
import { openJournal } from './open.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'nexus-export-'))
let journal: Journal
let text: string

before(async () => {
  journal = await openJournal(`sqlite:${path.join(folder, 'journal.sqlite')}`, { clock: systemClock })
  for (let sequence = 0; sequence < 12; sequence += 1) {
    const data = { turn: sequence, share: sequence / 7, note: 'naïve \ufffd 😀 "quoted"\n' }
    await journal.append('objective/one', sequence, [{ type: 'decided', data }])
  }
  text = await exportJournal(journal, 'objective/one')
})
after(async () => {
  await journal.close()
  rmSync(folder, { recursive: true, force: true })
})

test('an export is one line for each event and a closing line, in ASCII, and verifies', () => {
  const lines = text.split('\n')
  assert.equal(lines.length, 14)
  assert.match(text, /^[\x20-\x7e\n]*$/)
  assert.deepEqual(Object.keys(JSON.parse(lines[12] ?? '')), ['closing'])
  assert.deepEqual(verifyExport(text), { ok: true, events: 12 })
})

test('any byte that is changed is found, in the line where it stands', () => {
  const random = seededRandom(8)
  const bytes = Buffer.from(text)
  for (let round = 0; round < 4_000; round += 1) {
    const changed = Buffer.from(bytes)
    const at = Math.floor(random() * changed.length)
    changed[at] = ((changed[at] ?? 0) + 1 + Math.floor(random() * 255)) % 256
    const verdict = verifyExport(changed.toString())
    assert.equal(verdict.ok, false, `byte ${at} became ${changed[at]}`)
    const line = bytes.subarray(0, at).toString().split('\n').length
    assert.equal(verdict.fault?.line, line, `byte ${at} became ${changed[at]}: ${verdict.fault?.reason}`)
    assert.equal(verdict.events, Math.min(line - 1, 12))
  }
})

test('an export that is cut off anywhere is found', () => {
  for (let length = 0; length < text.length; length += 1) {
    assert.equal(verifyExport(text.slice(0, length)).ok, false, `cut at ${length}`)
  }
})

test('a line that is missing, repeated, swapped or added is found', () => {
  const lines = text.split('\n')
  for (let index = 0; index < lines.length; index += 1) {
    assert.equal(verifyExport(lines.toSpliced(index, 1).join('\n')).ok, false, `without line ${index + 1}`)
    assert.equal(
      verifyExport(lines.toSpliced(index, 0, lines[index] ?? '').join('\n')).ok,
      false,
      `line ${index + 1} twice`,
    )
    if (index === 0) continue
    const swapped = lines.with(index, lines[index - 1] ?? '').with(index - 1, lines[index] ?? '')
    assert.equal(verifyExport(swapped.join('\n')).ok, false, `lines ${index} and ${index + 1} swapped`)
  }
  assert.equal(verifyExport(`${text}\n`).ok, false)
  assert.equal(verifyExport(`${text}${text}`).ok, false)
})

test('an event of another stream is found, even where its chain would fit', async () => {
  await journal.append('objective/two', 0, [{ type: 'decided', data: 1 }])
  const other = (await exportJournal(journal, 'objective/two')).split('\n')
  const lines = text.split('\n')
  assert.equal(verifyExport([other[0], lines.at(-2), ''].join('\n')).ok, false)
  assert.equal(verifyExport([...lines.slice(0, 12), other[1], ''].join('\n')).ok, false)
})

test('what is no export at all is a fault, not a crash', () => {
  for (const nothing of [
    '',
    '\n',
    '{}',
    '[]',
    'null',
    '{"closing":1}\n',
    '[['.repeat(5_000),
    '{"stream":1}\n',
  ]) {
    assert.equal(verifyExport(nothing).ok, false, nothing.slice(0, 20))
  }
})

test('a stream without events is not exported', async () => {
  await assert.rejects(exportJournal(journal, 'objective/none'), /has no events to export/)
})
