import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, test } from 'node:test'
import { seededRandom } from '../platform/eventually.testing.ts'
import { DocumentStoreError, openDocumentStore } from './graph.sqlite.ts'
import { Knowledge, type OfferedDocument, RepeatedIdError } from './knowledge.ts'

const killSeed = 2_026
const kills = 6

let folder: string
let url: string
const open: Knowledge[] = []

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'nexus-knowledge-'))
  url = `sqlite:${path.join(folder, 'knowledge.sqlite')}`
})

afterEach(() => {
  for (const knowledge of open.splice(0)) knowledge.close()
  rmSync(folder, { recursive: true })
})

function openKnowledge(at = url): Knowledge {
  const knowledge = new Knowledge(openDocumentStore(at))
  open.push(knowledge)
  return knowledge
}

function document(id: string, text: string, title = ''): OfferedDocument {
  return { id, title, text, source: '' }
}

function answersOf(knowledge: Knowledge): unknown {
  const { revision: _revision, ...counts } = knowledge.statistics
  const found = ['Who met Ada Lovelace?', 'tin metal', 'engine'].map((question) =>
    knowledge
      .retrieve(question, 10)
      .found.map(({ passage, score, entities }) => [passage.id, score, entities]),
  )
  return { counts, found }
}

test('a document is added, unchanged, then replaced, and the revision says so', () => {
  const knowledge = openKnowledge()
  const outcomes = (documents: OfferedDocument[]) => knowledge.put(documents).map(({ outcome }) => outcome)
  const first = knowledge.statistics.revision
  assert.deepEqual(outcomes([document('a', 'Tin is a metal.')]), ['added'])
  assert.equal(knowledge.statistics.revision, first + 1)
  assert.deepEqual(outcomes([document('a', 'Tin is a metal.')]), ['unchanged'])
  assert.equal(knowledge.statistics.revision, first + 1)
  assert.deepEqual(outcomes([document('a', 'Tin is a metal.', 'Tin'), document('b', 'x')]), [
    'replaced',
    'added',
  ])
  assert.equal(knowledge.statistics.revision, first + 2)
  assert.equal(knowledge.delete(['a', 'a', 'nobody']), 1)
  assert.equal(knowledge.statistics.documents, 1)
})

test('after a restart the answers and the revision are the same', () => {
  const knowledge = openKnowledge()
  knowledge.put([
    document('a', 'Ada Lovelace met Charles Babbage.'),
    document('b', 'Charles Babbage built an engine.'),
  ])
  knowledge.put([document('a', 'Ada Lovelace met Charles Babbage in London.')])
  knowledge.delete(['nobody'])
  const before = [answersOf(knowledge), knowledge.statistics.revision]
  knowledge.close()
  const again = openKnowledge()
  assert.deepEqual([answersOf(again), again.statistics.revision], before)
})

test('a store that has forgotten a document answers as one that never had it', () => {
  const knowledge = openKnowledge()
  const kept = [document('a', 'Ada Lovelace met Charles Babbage.'), document('', 'Tin is a metal.')]
  knowledge.put(kept)
  knowledge.put([document('x', 'Ada Lovelace knew the metal tin and the Tin Engine.', 'Tin Engine')])
  knowledge.delete(['x'])
  const fresh = openKnowledge(`${url}.fresh`)
  fresh.put(kept)
  assert.deepEqual(answersOf(knowledge), answersOf(fresh))
})

test('an empty id is the hash of the text, so the same text twice is one document', () => {
  const knowledge = openKnowledge()
  const results = knowledge.put([document('', 'Tin.'), document('', 'Tin.')])
  assert.equal(results[0]?.id, results[1]?.id)
  assert.match(results[0]?.id ?? '', /^[0-9a-f]{64}$/)
  assert.deepEqual(
    results.map(({ outcome }) => outcome),
    ['added', 'unchanged'],
  )
})

test('a batch with a repeated id changes nothing at all', () => {
  const knowledge = openKnowledge()
  const batch = [document('a', 'one'), document('b', 'two'), document('a', 'one')]
  assert.throws(() => knowledge.put(batch), RepeatedIdError)
  assert.throws(() => knowledge.put(batch), /documents\[2\]\.id: "a"/)
  assert.equal(knowledge.statistics.documents, 0)
})

test('a batch that the disk refuses is not in the graph either', () => {
  const knowledge = openKnowledge()
  knowledge.close()
  assert.throws(() => knowledge.put([document('a', 'Tin.')]))
  assert.equal(knowledge.statistics.documents, 0)
})

test('odd texts are kept and found as they are', () => {
  const knowledge = openKnowledge()
  const texts = [
    'nul \u0000 inside zinc',
    'emoji 😀 copper',
    'עברית nickel',
    '\u202eright to left cobalt',
    ' \t\n',
    '…',
  ]
  knowledge.put(texts.map((text, index) => document(`d${index}`, text)))
  for (const [index, metal] of ['zinc', 'copper', 'nickel', 'cobalt'].entries()) {
    assert.equal(knowledge.retrieve(metal, 1).found[0]?.passage.text, texts[index])
  }
  assert.equal(knowledge.retrieve('עברית', 1).found[0]?.passage.document.id, 'd2')
  knowledge.put([document('half', 'lone \ud800 surrogate iron')])
  assert.equal(knowledge.retrieve('iron', 1).found[0]?.passage.text, 'lone \ufffd surrogate iron')
  knowledge.put([document('huge', 'titanium '.repeat(116_000))])
  assert.ok(knowledge.retrieve('titanium', 100).found.length > 1)
  const before = answersOf(knowledge)
  knowledge.close()
  assert.deepEqual(answersOf(openKnowledge()), before)
})

test('words that objects have by birth are words like any other', () => {
  const knowledge = openKnowledge()
  knowledge.put([document('__proto__', 'constructor toString __proto__ hasOwnProperty', 'Constructor')])
  assert.equal(knowledge.retrieve('constructor', 1).found[0]?.passage.document.id, '__proto__')
  assert.equal(knowledge.delete(['__proto__']), 1)
  assert.deepEqual(knowledge.retrieve('constructor', 1).found, [])
})

test('a second process, a file that is no database and one of the future stop the start with one clear error', () => {
  openKnowledge()
  assert.throws(() => openDocumentStore(url), /stop the other process that has it/)
  assert.throws(() => openDocumentStore(`sqlite:${folder}`), DocumentStoreError)
  const future = path.join(folder, 'future.sqlite')
  openDocumentStore(`sqlite:${future}`).close()
  const database = new DatabaseSync(future)
  database.exec('UPDATE meta SET schema = 99')
  database.close()
  assert.throws(() => openDocumentStore(`sqlite:${future}`), /schema 99, this NEXUS reads 1/)
})

test(`killed ${kills} times while it stores, it opens and has all that it had acknowledged (seed ${killSeed})`, async () => {
  const random = seededRandom(killSeed)
  let acknowledged = 0
  for (let round = 0; round < kills; round += 1) {
    acknowledged = await storeUntilKilled(acknowledged, 1 + Math.floor(random() * 40))
    const knowledge = openKnowledge()
    const { documents } = knowledge.statistics
    assert.ok(documents >= acknowledged, `round ${round}: ${documents} of ${acknowledged}`)
    for (const number of [1, Math.ceil(acknowledged / 2), acknowledged]) {
      const { found } = knowledge.retrieve(`number${number}`, 1)
      assert.equal(found[0]?.passage.document.id, `d${number}`)
    }
    acknowledged = documents
    knowledge.close()
  }
})

/** Stores documents from a child process and kills it right after `count` were acknowledged; gives the last number. */
async function storeUntilKilled(from: number, count: number): Promise<number> {
  const script = path.join(import.meta.dirname, 'store-forever.testing.ts')
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', script, url, String(from)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const exited = once(child, 'exit')
  let last = from
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line)
    if (last >= from + count) child.kill('SIGKILL')
  }
  await exited
  return last
}
