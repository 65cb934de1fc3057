import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IngestOutcome } from './gen/nexus/knowledge_retriever/v1/knowledge_pb.ts'
import { type Memory, settingsFor, startMemory, temporaryFolder } from './models.testing.ts'
import { type Behaviour, failure, hang, json, startProvider } from './platform/openai.testing.ts'

// The memory with a model that embeds, over real sockets: retriever, llm-adapter, and a server that speaks OpenAI's protocol.

const on = { NEXUS_EXTRACTION: 'off', NEXUS_EMBEDDINGS: 'passages' }

/** An embedder that knows of two topics, by words of which no two are alike. */
const twoTopics: Behaviour = (response, seen) => {
  const texts = seen.body.input as string[]
  const data = texts.map((text, index) => {
    const ocean = /harbour|ship|vessel|sea/i.test(text) ? 1 : 0
    const bread = /oven|loaf|bakery|flour/i.test(text) ? 1 : 0
    return { object: 'embedding', index, embedding: [ocean, bread, 0.01] }
  })
  const usage = { prompt_tokens: 10 * texts.length, total_tokens: 10 * texts.length }
  json({ object: 'list', data, model: 'the-embedder-2026', usage })(response, seen)
}

const documents = [
  { id: 'ship', text: 'The vessel left at dawn.' },
  { id: 'loaf', text: 'A loaf needs an hour.' },
  { id: 'question', text: 'What is moored is tied with ropes.' },
]
const question = 'What is in the harbour?'

async function idsFor({ retriever }: Memory, asked = question): Promise<string[]> {
  return (await retriever.retrieve({ question: asked, limit: 5 })).passages.map(
    ({ documentId }) => documentId,
  )
}

test('a model that embeds is not asked unless a setting says so', async (t) => {
  const provider = await startProvider(t)
  const memory = await startMemory(t, { env: settingsFor(provider) })
  const put = await memory.retriever.putDocuments({ documents })
  assert.deepEqual(
    put.documents.map(({ embedded }) => embedded),
    [false, false, false],
  )
  assert.deepEqual(await idsFor(memory), [])
  assert.equal(provider.seen.length, 0)
})

test('a passage that shares no word with the question is found by its vector, and by both means stands first', async (t) => {
  const provider = await startProvider(t)
  provider.behave(twoTopics)
  const memory = await startMemory(t, { provider, env: on })
  const put = await memory.retriever.putDocuments({ documents })
  assert.deepEqual(
    [put.documents.map(({ embedded }) => embedded), put.modelsStopped],
    [[true, true, true], ''],
  )
  assert.equal(provider.seen[0]?.path, '/v1/embeddings')
  assert.deepEqual([(await idsFor(memory))[0], (await idsFor(memory)).includes('loaf')], ['ship', true])
  assert.equal(provider.seen.length, 2, 'one call for the passages, one for the question')
  await memory.retriever.putDocuments({ documents: [{ id: 'both', text: 'The harbour has a ship.' }] })
  assert.equal((await idsFor(memory))[0], 'both')
  const metrics = await memory.registry.metrics()
  assert.match(metrics, /nexus_knowledge_model_tokens_total\{use="vectors",direction="input"\} 50/)
})

test('deleted and replaced documents leave no vector behind', async (t) => {
  const provider = await startProvider(t)
  provider.behave(twoTopics)
  const memory = await startMemory(t, { provider, env: on })
  await memory.retriever.putDocuments({ documents })
  await memory.retriever.putDocuments({ documents: [{ id: 'ship', text: 'The bakery opens at dawn.' }] })
  await memory.retriever.deleteDocuments({ ids: ['question'] })
  const fresh = await startMemory(t, { provider, env: on })
  const left = [{ id: 'ship', text: 'The bakery opens at dawn.' }, ...documents.slice(1, 2)]
  await fresh.retriever.putDocuments({ documents: left })
  for (const asked of [question, 'Who has flour?', 'dawn']) {
    const [one, other] = await Promise.all(
      [memory, fresh].map(async ({ retriever }) =>
        (await retriever.retrieve({ question: asked, limit: 5 })).passages.map(({ documentId, score }) => [
          documentId,
          score,
        ]),
      ),
    )
    assert.deepEqual(one, other, asked)
  }
})

for (const snapshot of ['none', 'knowledge.snapshot']) {
  test(`a restart has the vectors without asking for them again (snapshot: ${snapshot})`, async (t) => {
    const folder = temporaryFolder(t)
    const provider = await startProvider(t)
    provider.behave(twoTopics)
    const env = {
      ...on,
      NEXUS_GRAPH_SNAPSHOT: snapshot === 'none' ? snapshot : `${folder}/${snapshot}`,
    }
    const first = await startMemory(t, { provider, folder, env })
    const many = Array.from({ length: 300 }, (_, index) => ({ id: `n${index}`, text: `Note ${index}.` }))
    await first.retriever.putDocuments({ documents: [...documents, ...many] })
    const before = await idsFor(first)
    const calls = provider.seen.length
    await first.stop()
    const second = await startMemory(t, { provider, folder, env })
    assert.deepEqual(await idsFor(second), before)
    assert.equal(provider.seen.length, calls + 1, 'for the question alone')
    const again = await second.retriever.putDocuments({ documents })
    assert.ok(again.documents.every(({ embedded }) => embedded))
    assert.equal(provider.seen.length, calls + 1)
  })
}

test('a model that fails or hangs keeps nothing from being stored and found, and the reply says why', async (t) => {
  const provider = await startProvider(t)
  provider.behave(twoTopics, failure(401))
  const memory = await startMemory(t, { provider, env: on })
  await memory.retriever.putDocuments({ documents })
  const put = await memory.retriever.putDocuments({ documents: [{ id: 'later', text: 'The sea is salty.' }] })
  assert.equal(put.documents[0]?.embedded, false)
  assert.match(put.modelsStopped, /^the model cannot be asked: /)
  assert.deepEqual(await idsFor(memory, 'salty'), ['later'])
  const slow = await startMemory(t, { provider, env: on })
  provider.behave(twoTopics, hang)
  await slow.retriever.putDocuments({ documents })
  assert.deepEqual(await idsFor(slow, 'vessel'), ['ship'])
})

test('vectors of another model are not compared, and are made anew when the document is put again', async (t) => {
  const folder = temporaryFolder(t)
  const provider = await startProvider(t)
  provider.behave(twoTopics)
  const first = await startMemory(t, { provider, folder, env: on })
  await first.retriever.putDocuments({ documents })
  await first.stop()
  provider.behave((response, seen) => {
    const data = (seen.body.input as string[]).map((_, index) => ({ index, embedding: [1] }))
    json({ data, model: 'another', usage: { prompt_tokens: 1, total_tokens: 1 } })(response, seen)
  })
  const second = await startMemory(t, { provider, folder, env: on })
  assert.deepEqual(await idsFor(second), [])
  const again = await second.retriever.putDocuments({ documents: documents.slice(1) })
  assert.deepEqual(
    again.documents.map(({ outcome, embedded }) => [outcome, embedded]),
    [
      [IngestOutcome.REPLACED, true],
      [IngestOutcome.REPLACED, true],
    ],
  )
  assert.deepEqual(await idsFor(second), ['loaf', 'question'])
})

test('names that are there already stay when the text is embedded later', async (t) => {
  const folder = temporaryFolder(t)
  const provider = await startProvider(t)
  const named = { choices: [{ index: 0, finish_reason: 'stop', message: { content: '' } }] }
  provider.behave((response, seen) => {
    if (seen.path.endsWith('/embeddings')) return twoTopics(response, seen)
    const content = JSON.stringify({ names: ['vessel'], relations: [] })
    json({ ...named, choices: [{ ...named.choices[0], message: { content } }] })(response, seen)
  })
  const first = await startMemory(t, { provider, folder })
  await first.retriever.putDocuments({ documents })
  await first.stop()
  const second = await startMemory(t, { provider, folder, env: on })
  const [ship] = (await second.retriever.putDocuments({ documents: documents.slice(0, 1) })).documents
  assert.deepEqual([ship?.namesExtracted, ship?.embedded], [true, true])
})
