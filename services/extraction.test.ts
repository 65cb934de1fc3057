import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IngestOutcome } from './gen/nexus/knowledge_retriever/v1/knowledge_pb.ts'
import { type Memory, settingsFor, startMemory, temporaryFolder } from './models.testing.ts'
import { type Behaviour, completion, hang, startProvider } from './platform/openai.testing.ts'
import { freePorts, listOf } from './platform/testing.ts'

// The memory with a model that looks for names, over real sockets: retriever, llm-adapter, and a server that speaks OpenAI's protocol.

/** A model that finds, in whatever it is shown, the names of this list that stand there, and says the others too. */
function finding(names: readonly string[], relations: readonly [string, string, string][] = []): Behaviour {
  const said = relations.map(([subject, relation, object]) => ({ subject, relation, object }))
  return completion(JSON.stringify({ names, relations: said }), { usage: [300, 20] })
}

const reef = { id: 'reef', title: 'Blue Reef', text: 'The fish of it live from sea lettuce.' }
const lettuce = { id: 'lettuce', title: 'Sea lettuce', text: 'A green alga that grows at Tallinn.' }
const question = 'Where grows the food of the fish of Blue Reef?'

async function entitiesLeadingTo(memory: Memory, id: string): Promise<string[] | undefined> {
  const { passages } = await memory.retriever.retrieve({ question, limit: 5 })
  return passages.find(({ documentId }) => documentId === id)?.entities
}

async function indexOf({ retriever }: Memory): Promise<unknown> {
  const { revision: _revision, $typeName: _name, ...counts } = await retriever.getStatistics({})
  const { passages } = await retriever.retrieve({ question, limit: 20 })
  return { counts, passages: passages.map(({ passageId, score, entities }) => [passageId, score, entities]) }
}

const bigIntsAsText = (_key: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value)

test('a model that is configured is not asked for names unless a setting says so', async (t) => {
  const provider = await startProvider(t)
  const memory = await startMemory(t, { env: settingsFor(provider) })
  const put = await memory.retriever.putDocuments({ documents: [reef, lettuce] })
  assert.deepEqual(
    [put.documents.map(({ namesExtracted }) => namesExtracted), put.modelsStopped],
    [[false, false], ''],
  )
  assert.equal(provider.seen.length, 0)
  assert.deepEqual(await entitiesLeadingTo(memory, 'lettuce'), [])
})

test('a name in small letters that a model finds leads from one passage to the other, as one in capitals does', async (t) => {
  const provider = await startProvider(t)
  provider.behave(finding(['sea lettuce']))
  const memory = await startMemory(t, { provider })
  const put = await memory.retriever.putDocuments({ documents: [reef, lettuce] })
  assert.deepEqual(
    put.documents.map(({ namesExtracted }) => namesExtracted),
    [true, true],
  )
  assert.deepEqual(await entitiesLeadingTo(memory, 'lettuce'), ['Sea lettuce'])
  const capitals = await startMemory(t)
  const text = reef.text.replace('sea lettuce', 'Sea Lettuce')
  await capitals.retriever.putDocuments({ documents: [{ ...reef, text }, lettuce] })
  const names = (index: unknown) => JSON.parse(JSON.stringify(index, bigIntsAsText).toLowerCase())
  assert.deepEqual(names(await indexOf(memory)), names(await indexOf(capitals)))
  const metrics = await memory.registry.metrics()
  assert.match(metrics, /nexus_knowledge_model_tokens_total\{use="names",direction="input"\} 600/)
  assert.match(metrics, /nexus_knowledge_model_texts_total\{use="names",outcome="read"\} 2/)
})

test('both ends of a relation are names, and what does not stand in the passage is dropped', async (t) => {
  const provider = await startProvider(t)
  const memory = await startMemory(t, { provider })
  provider.behave(
    finding(
      ['Atlantis', 'the lost city', '42', ''],
      [
        ['fish', 'live from', 'sea lettuce'],
        ['sea lettuce', 'is ruled by', 'Poseidon'],
      ],
    ),
  )
  await memory.retriever.putDocuments({ documents: [reef] })
  provider.behave(finding([]))
  await memory.retriever.putDocuments({
    documents: [lettuce, { id: 'x', text: 'Some say that atlantis and poseidon and a lost city are.' }],
  })
  assert.deepEqual(await entitiesLeadingTo(memory, 'lettuce'), ['Sea lettuce'])
  const told = await startMemory(t, { provider })
  provider.behave(finding(['fish', 'sea lettuce']))
  await told.retriever.putDocuments({ documents: [reef] })
  provider.behave(finding([]))
  await told.retriever.putDocuments({
    documents: [lettuce, { id: 'x', text: 'Some say that atlantis and poseidon and a lost city are.' }],
  })
  assert.deepEqual(await indexOf(memory), await indexOf(told))
})

test('a restart has the same index without asking the model again, and so has who is told the same again', async (t) => {
  const folder = temporaryFolder(t)
  const provider = await startProvider(t)
  provider.behave(finding(['sea lettuce', 'fish']))
  const first = await startMemory(t, { provider, folder })
  await first.retriever.putDocuments({ documents: [reef, lettuce] })
  const before = await indexOf(first)
  await first.stop()
  const second = await startMemory(t, { provider, folder })
  assert.deepEqual(await indexOf(second), before)
  const again = await second.retriever.putDocuments({ documents: [reef, lettuce] })
  assert.deepEqual(
    again.documents.map(({ outcome, namesExtracted }) => [outcome, namesExtracted]),
    [
      [IngestOutcome.UNCHANGED, true],
      [IngestOutcome.UNCHANGED, true],
    ],
  )
  assert.equal(provider.seen.length, 2)
  await second.stop()
  const off = await startMemory(t, { folder })
  assert.deepEqual(await indexOf(off), before)
  const changed = await off.retriever.putDocuments({ documents: [{ ...reef, text: 'Now without fish.' }] })
  assert.deepEqual(changed.documents[0]?.namesExtracted, false)
})

test('when the tokens of the day are used up, documents are stored without names, and the stream says so', async (t) => {
  const provider = await startProvider(t)
  provider.behave(finding(['sea lettuce']))
  // Room for one passage at its most, or a few at what they really cost.
  const memory = await startMemory(t, { provider, env: { NEXUS_KNOWLEDGE_DAILY_TOKEN_BUDGET: '9000' } })
  async function* documents() {
    for (let number = 0; number < 60; number += 1)
      yield { document: { id: `d${number}`, text: `Note ${number}.` } }
  }
  const last = (await listOf(memory.retriever.streamDocuments(documents()))).at(-1)
  assert.equal(last?.stored, 60n)
  const read = Number(last?.namesExtracted)
  assert.ok(read > 1 && read < 60, `${read}`)
  assert.equal(provider.seen.length, read)
  assert.match(last?.modelsStopped ?? '', /the 9000 tokens .* are used up for today/)
  assert.match(await memory.registry.metrics(), /nexus_knowledge_model_stops_total\{use="names"\} 1/)
  assert.equal((await memory.retriever.retrieve({ question: 'note 59' })).passages[0]?.documentId, 'd59')
})

test('with the model down documents are stored all the same; told again when it is back, they are read', async (t) => {
  const [closed = 0] = await freePorts(1)
  const provider = await startProvider(t)
  const folder = temporaryFolder(t)
  const env = { ...settingsFor(provider), NEXUS_LLM_URL: `openai:http://127.0.0.1:${closed}/v1` }
  const down = await startMemory(t, { provider, folder, env })
  const put = await down.retriever.putDocuments({ documents: [reef, lettuce] })
  assert.deepEqual(
    put.documents.map(({ outcome, namesExtracted }) => [outcome, namesExtracted]),
    [
      [IngestOutcome.ADDED, false],
      [IngestOutcome.ADDED, false],
    ],
  )
  assert.match(put.modelsStopped, /^the model cannot be asked: /)
  await down.stop()
  provider.behave(finding(['sea lettuce']))
  const back = await startMemory(t, { provider, folder })
  assert.deepEqual(await entitiesLeadingTo(back, 'lettuce'), [])
  const again = await back.retriever.putDocuments({ documents: [reef, lettuce] })
  assert.deepEqual(
    again.documents.map(({ outcome, namesExtracted }) => [outcome, namesExtracted]),
    [
      [IngestOutcome.REPLACED, true],
      [IngestOutcome.REPLACED, true],
    ],
  )
  assert.deepEqual(await entitiesLeadingTo(back, 'lettuce'), ['Sea lettuce'])
})

test('without any model the reply says what is missing', async (t) => {
  const memory = await startMemory(t, { env: { NEXUS_EXTRACTION: 'names' } })
  const put = await memory.retriever.putDocuments({ documents: [reef] })
  assert.match(put.modelsStopped, /NEXUS_LLM_URL/)
})

test('a model that hangs does not keep a document from being stored within the deadline of its call', async (t) => {
  const provider = await startProvider(t)
  provider.behave(hang)
  const memory = await startMemory(t, { provider })
  const put = await memory.retriever.putDocuments({ documents: [reef] }, { timeoutMs: 3_000 })
  assert.deepEqual(
    [put.documents[0]?.outcome, put.documents[0]?.namesExtracted],
    [IngestOutcome.ADDED, false],
  )
})
