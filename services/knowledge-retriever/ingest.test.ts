import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect'
import { credentials, Client as GrpcClient, type ServiceError } from '@grpc/grpc-js'
import { trace } from '@opentelemetry/api'
import { Registry } from 'prom-client'
import { KnowledgeRetrieverService } from '../gen/nexus/knowledge_retriever/v1/knowledge_retriever_service_pb.ts'
import { systemClock } from '../platform/clock.ts'
import { seededRandom } from '../platform/eventually.testing.ts'
import { listOf, silentLog, startTestServer } from '../platform/testing.ts'
import { start } from './main.ts'
import { numberedDocument } from './numbered.testing.ts'

const seed = 815
const manyDocuments = 100_000
/** What the sender of a stream may be ahead of the store: two batches and what the connection holds. */
const maxLeadBytes = 8 * 1024 * 1024

type Retriever = Client<typeof KnowledgeRetrieverService>

async function startRetriever(t: TestContext): Promise<Retriever> {
  return (await startServed(t)).client
}

async function startServed(t: TestContext): Promise<{ client: Retriever; port: number }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-ingest-'))
  const service = await start({
    env: { NEXUS_GRAPH_URL: `sqlite:${path.join(folder, 'knowledge.sqlite')}` },
    log: silentLog,
    registry: new Registry(),
    tracer: trace.getTracer('test'),
    clock: systemClock,
    transport: () => assert.fail('it calls nobody'),
    signal: new AbortController().signal,
  })
  const server = await startTestServer(service.mounted)
  t.after(async () => {
    await server.close()
    await service.close()
    rmSync(folder, { recursive: true })
  })
  return { client: createClient(KnowledgeRetrieverService, server.transport), port: server.port }
}

async function* requests<T>(documents: Iterable<T>): AsyncIterable<{ document: T }> {
  for (const document of documents) yield { document }
}

async function everythingOf(client: Retriever): Promise<unknown> {
  const { revision: _revision, $typeName: _name, ...counts } = await client.getStatistics({})
  const answers: unknown[] = []
  for (const question of [
    'What stood in Tallinn?',
    'What of the Old Iron Works and 1725?',
    'West Virginia',
  ]) {
    const { passages } = await client.retrieve({ question, limit: 50 })
    answers.push(
      passages.map(({ passageId, text, contentHash, score }) => [passageId, text, contentHash, score]),
    )
  }
  return {
    counts,
    answers,
    names: (await client.listMergedNames({})).names.map(({ alias, name }) => [alias, name]),
  }
}

test(`whatever comes and goes, the answers are those of a service that has just been told the rest (seed ${seed})`, async (t) => {
  const random = seededRandom(seed)
  const client = await startRetriever(t)
  const model = new Map<string, ReturnType<typeof numberedDocument>>()
  const some = () => ({
    ...numberedDocument(Math.floor(random() * 200)),
    id: `d${Math.floor(random() * 40)}`,
  })
  const remember = (documents: ReturnType<typeof some>[]) => {
    for (const document of documents) model.set(document.id, document)
  }
  for (let step = 0; step < 60; step += 1) {
    const documents = Array.from({ length: 1 + Math.floor(random() * 6) }, some)
    const kind = random()
    if (kind < 0.3) {
      const batch = [...new Map(documents.map((each) => [each.id, each])).values()]
      await client.putDocuments({ documents: batch })
      remember(batch)
    } else if (kind < 0.5) {
      await client.ingestDocuments(requests(documents))
      remember(documents)
    } else if (kind < 0.7) {
      await listOf(client.streamDocuments(requests(documents)))
      remember(documents)
    } else if (kind < 0.9) {
      const ids = documents.map(({ id }) => id)
      const known = new Set(ids.filter((id) => model.has(id))).size
      assert.equal((await client.deleteDocuments({ ids })).deleted, known)
      for (const id of ids) model.delete(id)
    } else if (kind < 0.95) await client.mergeNames({ alias: 'Old Iron Works', name: 'Paris' })
    else await client.splitName({ alias: 'old iron works' })
  }
  const fresh = await startRetriever(t)
  for (const { alias, name } of (await client.listMergedNames({})).names)
    await fresh.mergeNames({ alias, name })
  const shuffled = [...model.values()].sort(() => random() - 0.5)
  if (shuffled.length > 0) await fresh.putDocuments({ documents: shuffled })
  assert.deepEqual(await everythingOf(client), await everythingOf(fresh))
})

test('four writers at once with documents in common leave what one after another would', async (t) => {
  const client = await startRetriever(t)
  const documents = Array.from({ length: 240 }, (_, number) => numberedDocument(number))
  const of = (writer: number) => documents.filter((_, number) => number % 4 === writer || number % 3 === 0)
  const replies = await Promise.all([
    listOf(client.streamDocuments(requests(of(0)))),
    client.ingestDocuments(requests(of(1).reverse())),
    client.ingestDocuments(requests(of(2))),
    Promise.all(of(3).map((document) => client.putDocuments({ documents: [document] }))),
  ])
  const [progress, second, third, single] = replies
  const added =
    Number(progress.at(-1)?.added) +
    Number(second.added + third.added) +
    single.filter(({ documents: [first] }) => first?.outcome === 1).length
  assert.equal(added, 240)
  const serial = await startRetriever(t)
  for (const writer of [0, 1, 2, 3]) await serial.putDocuments({ documents: of(writer) })
  assert.deepEqual(await everythingOf(client), await everythingOf(serial))
})

test('a stream tells how far it is stored, and may be taken up from there', async (t) => {
  const client = await startRetriever(t)
  const documents = Array.from({ length: 600 }, (_, number) => numberedDocument(number))
  async function* broken() {
    yield* requests(documents.slice(0, 500))
    throw new Error('the sender fails')
  }
  let stored = 0
  await assert.rejects(async () => {
    for await (const progress of client.streamDocuments(broken())) stored = Number(progress.stored)
  })
  const progress = await listOf(client.streamDocuments(requests(documents.slice(stored))))
  const last = progress.at(-1)
  assert.equal(stored + Number(last?.stored), 600)
  assert.equal(last?.stored, (last?.added ?? 0n) + (last?.replaced ?? 0n) + (last?.unchanged ?? 0n))
  assert.ok(progress.every((each, index) => index === 0 || each.stored > (progress[index - 1]?.stored ?? 0n)))
  assert.equal((await client.getStatistics({})).documents, 600n)
})

/** Streams documents and gives how many bytes of text the sender was ahead of what was stored, at most. */
async function leadOf(client: Retriever, count: number, textOf: (number: number) => string): Promise<number> {
  const ends = [0]
  let stored = 0
  let lead = 0
  async function* many() {
    for (let number = 0; number < count; number += 1) {
      const text = textOf(number)
      const sent = (ends[number] as number) + text.length
      ends.push(sent)
      lead = Math.max(lead, sent - (ends[stored] as number))
      yield { document: { id: `d${number}`, text } }
    }
  }
  for await (const progress of client.streamDocuments(many())) stored = Number(progress.stored)
  assert.equal(stored, count)
  assert.equal((await client.getStatistics({})).documents, BigInt(count))
  return lead
}

test(`${manyDocuments} documents in one stream are all stored`, async (t) => {
  const lead = await leadOf(await startRetriever(t), manyDocuments, (number) => `Text ${number}.`)
  t.diagnostic(`the sender was at most ${lead} bytes ahead`)
  assert.ok(lead <= maxLeadBytes, `${lead} bytes ahead`)
})

test('a sender that is faster than the store waits, and does not fill the memory', async (t) => {
  const words = 'and more words to be read '.repeat(1_500)
  const lead = await leadOf(await startRetriever(t), 1_000, (number) => `Text ${number} ${words}`)
  t.diagnostic(`the sender of ${words.length * 1_000} bytes was at most ${lead} bytes ahead`)
  assert.ok(lead <= maxLeadBytes, `${lead} bytes ahead`)
})

const invalid = (field: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ConnectError)
  assert.equal(error.code, Code.InvalidArgument)
  assert.match(error.rawMessage, field)
  return true
}

test('texts that are odd are stored, and found by what is in them', async (t) => {
  const client = await startRetriever(t)
  const texts: [text: string, question: string][] = [
    ['zinc', 'zinc'],
    ['nul \u0000 and bell \u0007 inside copper', 'copper'],
    ['\u202eright to left\u202c nickel', 'nickel'],
    ['שלום עולם', 'שלום'],
    ['مرحبا بالعالم', 'مرحبا'],
    ['emoji 😀👨‍👩‍👧 cobalt', 'cobalt'],
    [`${'word '.repeat(9_999)}tungsten`, 'tungsten'],
    [`\r\n\t${' '.repeat(5_000)}iron`, 'iron'],
    [`${'x'.repeat(500_000)} lead`, 'lead'],
  ]
  const documents = texts.map(([text], index) => ({ id: `d${index}`, text }))
  const progress = await listOf(client.streamDocuments(requests(documents)))
  assert.equal(progress.at(-1)?.added, BigInt(texts.length))
  for (const [index, [, question]] of texts.entries()) {
    const { passages } = await client.retrieve({ question, limit: 1 })
    assert.equal(passages[0]?.documentId, `d${index}`, question)
  }
  const whole = await client.putDocuments({
    documents: [
      { id: 'blank', text: ' \n\t' },
      { id: 'dots', text: '…' },
    ],
  })
  assert.deepEqual(
    whole.documents.map(({ passages }) => passages),
    [0, 1],
  )
})

test('a document that is empty or too long ends the stream with its field, and what came before it is stored', async (t) => {
  const client = await startRetriever(t)
  const good = { id: 'good', text: 'Tin.' }
  for (const text of ['', 'x'.repeat(1_048_577)]) {
    const stream = client.ingestDocuments(requests([good, { id: 'bad', text }]))
    await assert.rejects(stream, invalid(/document\.text/))
  }
  const tooLong = client.putDocuments({ documents: [{ id: 'x'.repeat(257), text: 'Tin.' }] })
  await assert.rejects(tooLong, invalid(/documents\[0\]\.id/))
  const tooLarge = client.putDocuments({ documents: [{ text: 'x'.repeat(10 * 1024 * 1024) }] })
  await assert.rejects(tooLarge, (error) => {
    assert.equal(ConnectError.from(error).code, Code.ResourceExhausted)
    return true
  })
  const largest = { id: 'largest', text: 'x'.repeat(10 * 1024 * 1024) }
  await assert.rejects(listOf(client.streamDocuments(requests([good, largest]))), (error) => {
    assert.equal(ConnectError.from(error).code, Code.ResourceExhausted)
    return true
  })
  assert.ok((await client.getStatistics({})).documents <= 1n)
  const { passages } = await client.retrieve({ question: 'tin' })
  assert.deepEqual(
    passages.map(({ documentId }) => documentId),
    ['good'],
  )
})

test('a document whose text is not UTF-8 is a bad request, alone and in a stream, and nothing of it is stored', async (t) => {
  const { client, port } = await startServed(t)
  const caller = new GrpcClient(`127.0.0.1:${port}`, credentials.createInsecure())
  t.after(() => caller.close())
  // Field 1 is the document, its field 3 the text.
  const text = Buffer.from([0x1a, 5, 0x54, 0x69, 0x6e, 0xff, 0xc3])
  const request = Buffer.concat([Buffer.from([0x0a, text.length]), text])
  const path = (name: string) => `/${KnowledgeRetrieverService.typeName}/${name}`
  const asIs = (bytes: Buffer) => bytes
  const errors = await Promise.all([
    new Promise<ServiceError | null>((resolve) => {
      caller.makeUnaryRequest(path('PutDocuments'), asIs, asIs, request, resolve)
    }),
    new Promise<ServiceError | null>((resolve) => {
      const stream = caller.makeClientStreamRequest(path('IngestDocuments'), asIs, asIs, resolve)
      stream.on('error', () => {})
      stream.write(request)
      stream.end()
    }),
  ])
  assert.deepEqual(
    errors.map((error) => error?.code),
    [Code.InvalidArgument, Code.InvalidArgument],
  )
  assert.equal((await client.getStatistics({})).documents, 0n)
})

test('an id twice in a batch is refused, twice in a stream the later text counts, and without ids equal texts are one', async (t) => {
  const client = await startRetriever(t)
  const twice = [
    { id: 'a', text: 'Tin.' },
    { id: 'a', text: 'Zinc.' },
  ]
  await assert.rejects(client.putDocuments({ documents: twice }), invalid(/documents\[1\]\.id/))
  const reply = await client.ingestDocuments(requests(twice))
  assert.deepEqual([reply.added, reply.replaced], [1n, 1n])
  assert.equal((await client.retrieve({ question: 'zinc' })).passages[0]?.documentId, 'a')
  const same = await client.ingestDocuments(requests([{ text: 'Iron.' }, { text: 'Iron.' }]))
  assert.deepEqual([same.added, same.unchanged], [1n, 1n])
})

test('names are merged and split by RPC; what is no name, or would go in a circle, is refused', async (t) => {
  const client = await startRetriever(t)
  const { merged } = await client.mergeNames({ alias: 'N.J.', name: 'New Jersey' })
  assert.deepEqual([merged?.alias, merged?.name], ['n j', 'new jersey'])
  await assert.rejects(client.mergeNames({ alias: '42', name: 'Answer' }), invalid(/^alias: "42" is no name/))
  await assert.rejects(client.mergeNames({ alias: 'New Jersey', name: 'N.J.' }), (error) => {
    assert.equal(ConnectError.from(error).code, Code.FailedPrecondition)
    return true
  })
  assert.equal((await client.listMergedNames({})).names.length, 1)
  assert.equal((await client.splitName({ alias: 'n. j.' })).wasMerged, true)
  assert.equal((await client.splitName({ alias: 'n. j.' })).wasMerged, false)
  assert.deepEqual((await client.listMergedNames({})).names, [])
})
