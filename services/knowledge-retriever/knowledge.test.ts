import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { type OfferedDocument, RepeatedIdError } from './documents.ts'
import { openSqliteStore } from './graph.sqlite.ts'
import { Knowledge } from './knowledge.ts'
import { StoreUnavailableError } from './store.ts'

let folder: string
let file: string
const open: Knowledge[] = []

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'nexus-knowledge-'))
  file = path.join(folder, 'knowledge.sqlite')
})

afterEach(async () => {
  for (const knowledge of open.splice(0)) await knowledge.close()
  rmSync(folder, { recursive: true })
})

async function openKnowledge(at = file): Promise<Knowledge> {
  const knowledge = await Knowledge.open(openSqliteStore(at))
  open.push(knowledge)
  return knowledge
}

function document(id: string, text: string, title = ''): OfferedDocument {
  return { id, title, text, source: '' }
}

async function answersOf(knowledge: Knowledge): Promise<unknown> {
  const { revision: _revision, ...counts } = await knowledge.statistics()
  const answers: unknown[] = []
  for (const question of ['Who met Ada Lovelace?', 'tin metal', 'engine']) {
    const { found } = await knowledge.retrieve(question, 10)
    answers.push(found.map(({ passage, score, entities }) => [passage.id, score, entities]))
  }
  return { counts, answers }
}

test('a document is added, unchanged, then replaced, and the revision says so', async () => {
  const knowledge = await openKnowledge()
  const outcomes = async (documents: OfferedDocument[]) =>
    (await knowledge.put(documents)).map(({ outcome }) => outcome)
  const first = (await knowledge.statistics()).revision
  assert.deepEqual(await outcomes([document('a', 'Tin is a metal.')]), ['added'])
  assert.equal((await knowledge.statistics()).revision, first + 1)
  assert.deepEqual(await outcomes([document('a', 'Tin is a metal.')]), ['unchanged'])
  assert.equal((await knowledge.statistics()).revision, first + 1)
  assert.deepEqual(await outcomes([document('a', 'Tin is a metal.', 'Tin'), document('b', 'x')]), [
    'replaced',
    'added',
  ])
  assert.equal((await knowledge.statistics()).revision, first + 2)
  assert.equal(await knowledge.delete(['a', 'a', 'nobody']), 1)
  assert.equal((await knowledge.statistics()).documents, 1)
})

test('after a restart the answers and the revision are the same', async () => {
  const knowledge = await openKnowledge()
  await knowledge.put([
    document('a', 'Ada Lovelace met Charles Babbage.'),
    document('b', 'Charles Babbage built an engine.'),
  ])
  await knowledge.put([document('a', 'Ada Lovelace met Charles Babbage in London.')])
  await knowledge.delete(['nobody'])
  const before = [await answersOf(knowledge), (await knowledge.statistics()).revision]
  await knowledge.close()
  const again = await openKnowledge()
  assert.deepEqual([await answersOf(again), (await again.statistics()).revision], before)
})

test('more documents than are forgotten at a time are all forgotten, and counted', async () => {
  const knowledge = await openKnowledge()
  const documents = Array.from({ length: 130 }, (_, number) => document(`d${number}`, `Text ${number}.`))
  await knowledge.put(documents)
  const ids = documents.slice(5).map(({ id }) => id)
  assert.equal(await knowledge.delete([...ids, 'nobody', ...ids]), 125)
  assert.equal((await knowledge.statistics()).documents, 5)
})

test('a store that has forgotten a document answers as one that never had it', async () => {
  const knowledge = await openKnowledge()
  const kept = [document('a', 'Ada Lovelace met Charles Babbage.'), document('', 'Tin is a metal.')]
  await knowledge.put(kept)
  await knowledge.put([document('x', 'Ada Lovelace knew the metal tin and the Tin Engine.', 'Tin Engine')])
  await knowledge.delete(['x'])
  const fresh = await openKnowledge(`${file}.fresh`)
  await fresh.put(kept)
  assert.deepEqual(await answersOf(knowledge), await answersOf(fresh))
})

test('an empty id is the hash of the text, so the same text twice is one document', async () => {
  const knowledge = await openKnowledge()
  const results = await knowledge.put([document('', 'Tin.'), document('', 'Tin.')])
  assert.equal(results[0]?.id, results[1]?.id)
  assert.match(results[0]?.id ?? '', /^[0-9a-f]{64}$/)
  assert.deepEqual(
    results.map(({ outcome }) => outcome),
    ['added', 'unchanged'],
  )
})

test('a batch with a repeated id changes nothing at all', async () => {
  const knowledge = await openKnowledge()
  const batch = [document('a', 'one'), document('b', 'two'), document('a', 'one')]
  await assert.rejects(knowledge.put(batch), RepeatedIdError)
  await assert.rejects(knowledge.put(batch), /documents\[2\]\.id: "a"/)
  assert.equal((await knowledge.statistics()).documents, 0)
})

test('a batch that the disk refuses is not in the graph either', async () => {
  const knowledge = await openKnowledge()
  await knowledge.close()
  await assert.rejects(knowledge.put([document('a', 'Tin.')]), StoreUnavailableError)
  assert.equal(knowledge.inMemory.documents, 0)
})

test('odd texts are kept and found as they are', async () => {
  const knowledge = await openKnowledge()
  const texts = [
    'nul \u0000 inside zinc',
    'emoji 😀 copper',
    'עברית nickel',
    '\u202eright to left cobalt',
    ' \t\n',
    '…',
  ]
  await knowledge.put(texts.map((text, index) => document(`d${index}`, text)))
  for (const [index, metal] of ['zinc', 'copper', 'nickel', 'cobalt'].entries()) {
    assert.equal((await knowledge.retrieve(metal, 1)).found[0]?.passage.text, texts[index])
  }
  assert.equal((await knowledge.retrieve('עברית', 1)).found[0]?.passage.document.id, 'd2')
  await knowledge.put([document('half', 'lone \ud800 surrogate iron')])
  assert.equal((await knowledge.retrieve('iron', 1)).found[0]?.passage.text, 'lone \ufffd surrogate iron')
  await knowledge.put([document('huge', 'titanium '.repeat(116_000))])
  assert.ok((await knowledge.retrieve('titanium', 100)).found.length > 1)
  const before = await answersOf(knowledge)
  await knowledge.close()
  assert.deepEqual(await answersOf(await openKnowledge()), before)
})

test('words that objects have by birth are words like any other', async () => {
  const knowledge = await openKnowledge()
  await knowledge.put([document('__proto__', 'constructor toString __proto__ hasOwnProperty', 'Constructor')])
  assert.equal((await knowledge.retrieve('constructor', 1)).found[0]?.passage.document.id, '__proto__')
  assert.equal(await knowledge.delete(['__proto__']), 1)
  assert.deepEqual((await knowledge.retrieve('constructor', 1)).found, [])
})
