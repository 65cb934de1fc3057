import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { Registry } from 'prom-client'
import { systemClock } from '../platform/clock.ts'
import { seededRandom } from '../platform/eventually.testing.ts'
import { keepingLog } from '../platform/testing.ts'
import type { OfferedDocument } from './documents.ts'
import { createKnowledgeEvents } from './events.ts'
import { openSqliteStore } from './graph.sqlite.ts'
import { keepSnapshot, openFromSnapshot } from './keep-snapshot.ts'
import type { Knowledge } from './knowledge.ts'
import { SnapshotError } from './snapshot.ts'
import { SnapshotFile } from './snapshot-file.ts'

const seed = 4_711
const manyPassages = 20_000
/** Far above what it takes alone, far below what a probe waits for: other tests run beside this one. */
const maxPauseMs = 500

function room(t: TestContext) {
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-snapshot-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const { log, lines } = keepingLog()
  const events = createKnowledgeEvents(log, new Registry())
  const snapshot = new SnapshotFile(path.join(folder, 'snapshot'))
  const open = async (file: SnapshotFile | undefined = snapshot) => {
    const knowledge = await openFromSnapshot(openSqliteStore(path.join(folder, 'db')), file, events)
    t.after(() => knowledge.close())
    return knowledge
  }
  return { snapshot, lines, events, open }
}

function document(number: number, text: string): OfferedDocument {
  return { id: `d${number}`, title: number % 3 === 0 ? `Note ${number}` : '', text, source: 'notes' }
}

function longText(number: number): string {
  const names = ['Ada Lovelace', 'Charles Babbage', `Number${number % 997} Engine`, `Word${number} House`]
  return names
    .map(
      (name, index) => `It is said that ${name} was in room ${number * index} of the ${number % 89} rooms.`,
    )
    .join(' ')
}

const texts = [
  'Ada Lovelace met Charles Babbage.',
  'The Tin Engine stands in Paris.',
  'NJ is where Ada Lovelace was.',
]

/** Reads all of a snapshot; gives how many parts the graph has. */
async function wholeOf(snapshot: SnapshotFile): Promise<number> {
  const image = await snapshot.read()
  let parts = 0
  for await (const _part of image?.graph ?? []) parts += 1
  return parts
}

async function everythingOf(knowledge: Knowledge): Promise<unknown> {
  const answers: unknown[] = []
  for (const question of ['Who met Ada Lovelace?', 'Where is the Tin Engine?', 'What is New Jersey?']) {
    const { found } = await knowledge.retrieve(question, 20)
    answers.push(found.map(({ passage, score, entities }) => [passage.id, passage.text, score, entities]))
  }
  return { counts: knowledge.inMemory, answers, merged: [...(await knowledge.mergedNames())] }
}

test(`a start from a snapshot, fresh or old, answers as one that reads every document (seed ${seed})`, async (t) => {
  const { snapshot, open } = room(t)
  const random = seededRandom(seed)
  const anyText = () => `${texts[Math.floor(random() * texts.length)]} ${Math.floor(random() * 9)}`
  let knowledge = await open(undefined)
  for (let round = 0; round < 8; round += 1) {
    for (let step = 0; step < 5; step += 1) {
      const number = () => Math.floor(random() * 30)
      const numbers = new Set([number(), number(), number()])
      await knowledge.put([...numbers].map((each) => document(each, anyText())))
      await knowledge.delete([`d${number()}`, `d${number()}`])
      if (random() < 0.3) await knowledge.merge('nj', random() < 0.5 ? 'new jersey' : 'paris')
      if (random() < 0.3) await knowledge.split('nj')
      if (random() < 0.3) await snapshot.write(knowledge.image())
    }
    await knowledge.close()
    const fresh = await open(new SnapshotFile(`${snapshot.path}.none`))
    const expected = await everythingOf(fresh)
    await fresh.close()
    knowledge = await open()
    assert.deepEqual(await everythingOf(knowledge), expected, `round ${round}`)
  }
})

test('a start from a snapshot reads only what has changed since', async (t) => {
  const { snapshot, open } = room(t)
  const first = await open()
  await first.put(Array.from({ length: 50 }, (_, number) => document(number, `Text ${number}.`)))
  await snapshot.write(first.image())
  await first.put([document(7, 'Another text.'), document(99, 'A new text.')])
  await first.delete(['d3'])
  await first.close()
  const again = await open()
  assert.equal(again.changes, 3)
  assert.equal(again.inMemory.documents, 50)
})

test('a snapshot that is cut, changed, or of other code is not used, and the log says why', async (t) => {
  const { snapshot, lines, open } = room(t)
  const knowledge = await open()
  await knowledge.put([document(1, 'Ada Lovelace met Charles Babbage.')])
  await snapshot.write(knowledge.image())
  const expected = await everythingOf(knowledge)
  await knowledge.close()
  const whole = readFileSync(snapshot.path)
  assert.ok((await wholeOf(snapshot)) > 1)
  const changed = Buffer.from(whole)
  changed[whole.length - 5] = (changed[whole.length - 5] ?? 0) ^ 1
  for (const bytes of [
    whole.subarray(0, 10),
    whole.subarray(0, whole.length - 9),
    changed,
    Buffer.from('x'.repeat(99)),
  ]) {
    writeFileSync(snapshot.path, bytes)
    await assert.rejects(wholeOf(snapshot), SnapshotError)
    const again = await open()
    assert.deepEqual(await everythingOf(again), expected)
    await again.close()
  }
  assert.equal(lines.filter(({ event }) => event === 'knowledge_snapshot_not_used').length, 4)
  assert.equal(statSync(snapshot.path).mode & 0o077, 0o600 & 0o077)
})

test('the snapshot is written when enough has changed, and a failure is told and does no harm', async (t) => {
  const { snapshot, lines, events, open } = room(t)
  const knowledge = await open()
  const keeper = keepSnapshot(knowledge, snapshot, { clock: systemClock, events })
  await knowledge.put([document(1, 'Few.')])
  await keeper.save()
  assert.equal(await snapshot.read(), undefined)
  await knowledge.put(Array.from({ length: 250 }, (_, number) => document(number, `Text ${number}.`)))
  await keeper.close()
  assert.equal((await snapshot.read())?.hashes.size, 250)
  const broken = keepSnapshot(knowledge, new SnapshotFile('/dev/null/x'), { clock: systemClock, events })
  await broken.close()
  const told = lines.map(({ event }) => event)
  assert.ok(told.includes('knowledge_snapshot_written') && told.includes('knowledge_snapshot_failed'))
})

/** How long a timer had to wait for its turn at most while work was done. */
async function longestPauseMs(work: () => Promise<unknown>): Promise<number> {
  let [last, longest] = [performance.now(), 0]
  const look = () => {
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
  }
  const timer = setInterval(look, 1)
  await work()
  look()
  clearInterval(timer)
  return longest
}

test(`${manyPassages} passages are written and loaded without keeping anybody waiting for long`, async (t) => {
  const { snapshot, open } = room(t)
  const knowledge = await open()
  for (let number = 0; number < manyPassages; number += 200) {
    await knowledge.put(
      Array.from({ length: 200 }, (_, index) => document(number + index, longText(number + index))),
    )
  }
  const writing = await longestPauseMs(() => snapshot.write(knowledge.image()))
  assert.equal(knowledge.inMemory.passages, manyPassages)
  await knowledge.close()
  const loading = await longestPauseMs(async () => {
    const again = await open()
    assert.deepEqual([again.inMemory.passages, again.changes], [manyPassages, 0])
  })
  t.diagnostic(
    `the longest pause was ${Math.round(writing)} ms in writing, ${Math.round(loading)} ms in loading`,
  )
  assert.ok(Math.max(writing, loading) < maxPauseMs)
})

test('a close does not wait for a large snapshot, and leaves the old one in its place', async (t) => {
  const { snapshot, lines, events, open } = room(t)
  const knowledge = await open()
  await knowledge.put([document(0, 'Tin.')])
  await snapshot.write(knowledge.image())
  for (let number = 0; number < 6_000; number += 500) {
    await knowledge.put(
      Array.from({ length: 500 }, (_, index) => document(number + index, longText(number + index))),
    )
  }
  const keeper = keepSnapshot(knowledge, snapshot, { clock: systemClock, events })
  const saved = keeper.save()
  await keeper.close()
  await saved
  assert.equal((await snapshot.read())?.hashes.size, 1)
  assert.deepEqual(
    readdirSync(path.dirname(snapshot.path)).filter((file) => /new/.test(file)),
    [],
  )
  assert.deepEqual(
    lines.filter(({ event }) => event === 'knowledge_snapshot_failed'),
    [],
  )
})

test('documents that are put while the snapshot is being written are stored at once, and it is written when things are quiet', async (t) => {
  const { snapshot, lines, events, open } = room(t)
  const knowledge = await open()
  await knowledge.put(Array.from({ length: 1_000 }, (_, number) => document(number, longText(number))))
  const keeper = keepSnapshot(knowledge, snapshot, { clock: systemClock, events })
  const saved = keeper.save()
  await knowledge.put([document(5, 'It was changed.')])
  await saved
  assert.equal(await snapshot.read(), undefined)
  await keeper.save()
  assert.equal((await snapshot.read())?.hashes.size, 1_000)
  assert.ok(lines.every(({ event }) => event !== 'knowledge_snapshot_failed'))
  await keeper.close()
  await knowledge.close()
  const again = await open()
  assert.equal(again.changes, 0)
  assert.equal((await again.retrieve('It was changed', 1)).found[0]?.passage.document.id, 'd5')
})
