import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { seededRandom } from '../platform/eventually.testing.ts'
import { openSqliteStore } from './graph.sqlite.ts'
import { Knowledge } from './knowledge.ts'
import { keyOfName, MergeRefusedError, NotANameError } from './merging.ts'

const seed = 99

async function openKnowledge(t: TestContext): Promise<Knowledge> {
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-merging-'))
  const knowledge = await Knowledge.open(openSqliteStore(path.join(folder, 'db')))
  t.after(async () => {
    await knowledge.close()
    rmSync(folder, { recursive: true })
  })
  return knowledge
}

const documents = [
  { id: '1', title: 'Blue Sparrow', text: 'Blue Sparrow is a film that M. Okonjo directed.', source: '' },
  { id: '2', title: 'Maria Okonjo', text: 'Maria Okonjo was born in Tallinn.', source: '' },
  { id: '3', title: 'Tallinn', text: 'Tallinn is a harbour. The Okonjo House stands there.', source: '' },
  {
    id: '4',
    title: 'Green Heron',
    text: 'The Green Heron is a film by Anna Tamm, who admired M. Okonjo.',
    source: '',
  },
]
const question = 'Where was the director of Blue Sparrow born?'

async function everythingOf(knowledge: Knowledge): Promise<unknown> {
  const { revision: _revision, ...counts } = knowledge.inMemory
  const { found } = await knowledge.retrieve(question, 20)
  return { counts, found: found.map(({ passage, score, entities }) => [passage.id, score, entities]) }
}

test('a merged name leads where the other leads, and when it is split everything is as before', async (t) => {
  const knowledge = await openKnowledge(t)
  await knowledge.put(documents)
  const before = await everythingOf(knowledge)
  const placeOf = async (id: string) =>
    (await knowledge.retrieve(question, 4)).found.findIndex(({ passage }) => passage.document.id === id)
  const entities = async () => (await knowledge.statistics()).entities
  const separate = await entities()
  assert.equal(
    await knowledge.merge(keyOfName('M. Okonjo', 'alias'), keyOfName('Maria Okonjo', 'name')),
    true,
  )
  assert.equal(await knowledge.merge('m okonjo', 'maria okonjo'), false)
  assert.equal(await placeOf('2'), 1)
  assert.ok((await entities()) <= separate)
  assert.notDeepEqual(await everythingOf(knowledge), before)
  assert.equal(await knowledge.split('m okonjo'), true)
  assert.equal(await knowledge.split('m okonjo'), false)
  assert.deepEqual(await everythingOf(knowledge), before)
})

test(`any sequence of merges, splits and documents answers as one made at once (seed ${seed})`, async (t) => {
  const random = seededRandom(seed)
  const names = ['m okonjo', 'maria okonjo', 'anna tamm', 'tallinn', 'okonjo house']
  const any = () => names[Math.floor(random() * names.length)] as string
  const knowledge = await openKnowledge(t)
  for (let step = 0; step < 120; step += 1) {
    const kind = random()
    if (kind < 0.35)
      await knowledge.merge(any(), any()).catch((error) => assert.ok(error instanceof MergeRefusedError))
    else if (kind < 0.6) await knowledge.split(any())
    else if (kind < 0.85) await knowledge.put([documents[Math.floor(random() * 4)] as (typeof documents)[0]])
    else await knowledge.delete([String(1 + Math.floor(random() * 4))])
    if (step % 20 !== 19) continue
    const fresh = await openKnowledge(t)
    for (const [alias, name] of await knowledge.mergedNames()) await fresh.merge(alias, name)
    const { found } = await knowledge.retrieve('Maria Okonjo Tallinn Anna Tamm film Sparrow', 20)
    const kept = new Set(found.map(({ passage }) => passage.document.id))
    await fresh.put(documents.filter(({ id }) => kept.has(id)))
    assert.deepEqual(await everythingOf(knowledge), await everythingOf(fresh), `step ${step}`)
  }
})

test('merges that go round in a circle, or on for too long, are refused and change nothing', async (t) => {
  const knowledge = await openKnowledge(t)
  await knowledge.merge('a one', 'b two')
  await knowledge.merge('b two', 'c three')
  const before = await knowledge.statistics()
  await assert.rejects(knowledge.merge('c three', 'a one'), MergeRefusedError)
  await assert.rejects(knowledge.merge('x same', 'x same'), MergeRefusedError)
  assert.deepEqual(await knowledge.statistics(), before)
  for (let number = 0; number < 16; number += 1) await knowledge.merge(`n${number}`, `n${number + 1}`)
  await assert.rejects(knowledge.merge('n16', 'n17'), /more than 16 names/)
  await assert.rejects(knowledge.merge('before', 'n0'), /more than 16 names/)
})

test('names are what titles give; numbers and small words are none', () => {
  assert.equal(keyOfName('New  JERSEY!', 'name'), 'new jersey')
  assert.equal(keyOfName('the Café', 'name'), 'cafe')
  for (const text of ['', '42', 'the of', '…', '😀'])
    assert.throws(() => keyOfName(text, 'alias'), NotANameError)
})
