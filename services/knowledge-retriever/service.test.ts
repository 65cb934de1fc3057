import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect'
import { credentials, Client as GrpcClient, type ServiceError } from '@grpc/grpc-js'
import { trace } from '@opentelemetry/api'
import { Registry } from 'prom-client'
import { IngestOutcome } from '../gen/nexus/knowledge_retriever/v1/knowledge_pb.ts'
import { KnowledgeRetrieverService } from '../gen/nexus/knowledge_retriever/v1/knowledge_retriever_service_pb.ts'
import { systemClock } from '../platform/clock.ts'
import type { RunningService } from '../platform/service.ts'
import { keepingLog, startTestServer, type TestServer } from '../platform/testing.ts'
import { start } from './main.ts'

let folder: string
let service: RunningService
let server: TestServer
let client: Client<typeof KnowledgeRetrieverService>
let registry: Registry
let lines: Record<string, unknown>[]

function startService(env: Record<string, string>): Promise<RunningService> {
  const kept = keepingLog()
  lines = kept.lines
  registry = new Registry()
  return start({
    env,
    log: kept.log,
    registry,
    tracer: trace.getTracer('test'),
    clock: systemClock,
    transport: () => assert.fail('it calls nobody'),
    signal: new AbortController().signal,
  })
}

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'nexus-retriever-'))
  service = await startService({ NEXUS_GRAPH_URL: `sqlite:${path.join(folder, 'knowledge.sqlite')}` })
  server = await startTestServer(service.mounted)
  client = createClient(KnowledgeRetrieverService, server.transport)
})

afterEach(async () => {
  await server.close()
  await service.close()
  rmSync(folder, { recursive: true })
})

const refusal = (code: Code, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ConnectError)
  assert.equal(error.code, code)
  assert.match(error.rawMessage, message)
  return true
}

test('documents are put, retrieved with the names that led there, counted and deleted', async () => {
  const put = await client.putDocuments({
    documents: [
      { id: '1', title: 'Blue Sparrow', text: 'Blue Sparrow is a film by Maria Okonjo.', source: 'films/1' },
      { id: '2', title: 'Maria Okonjo', text: 'Maria Okonjo was born in Tallinn.' },
      { text: 'Tin is a metal.' },
    ],
  })
  assert.deepEqual(
    put.documents.map(({ outcome, passages }) => [outcome, passages]),
    Array.from({ length: 3 }, () => [IngestOutcome.ADDED, 1]),
  )
  const found = await client.retrieve({ question: 'Where was the maker of Blue Sparrow born?', limit: 2 })
  const [first, second] = found.passages
  assert.deepEqual(
    [first?.documentId, first?.passageId, first?.source, first?.offset],
    ['1', '1#0', 'films/1', 0],
  )
  assert.deepEqual([second?.documentId, second?.entities], ['2', ['Maria Okonjo']])
  assert.ok((first?.score ?? 0) >= (second?.score ?? 0))
  const statistics = await client.getStatistics({})
  assert.deepEqual([statistics.documents, statistics.revision], [3n, found.revision])
  assert.equal((await client.deleteDocuments({ ids: ['1', 'nobody'] })).deleted, 1)
  const after = await client.retrieve({ question: 'Blue Sparrow' })
  assert.deepEqual(after.passages, [])
  assert.notEqual(after.revision, found.revision)
})

test('equal revisions give equal replies', async () => {
  const texts = Array.from(
    { length: 50 },
    (_, index) => `Note ${index} on the Analytical Engine of Ada Lovelace.`,
  )
  await client.putDocuments({ documents: texts.map((text) => ({ text })) })
  const ask = () => client.retrieve({ question: 'Who has the Analytical Engine?', limit: 20 })
  assert.deepEqual(await ask(), await ask())
})

test('a stream is stored in batches and counted', async () => {
  const count = 500
  async function* documents() {
    for (let number = 0; number < count; number += 1)
      yield { document: { id: `d${number % 400}`, text: `Text ${number}.` } }
  }
  const reply = await client.ingestDocuments(documents())
  assert.deepEqual([reply.added, reply.replaced, reply.unchanged], [400n, 100n, 0n])
  assert.equal((await client.getStatistics({})).documents, 400n)
  const metrics = await registry.metrics()
  assert.match(metrics, /nexus_documents_total\{outcome="added"\} 400/)
  assert.match(metrics, /nexus_known_documents 400/)
})

test('what a broken stream had brought is whole or absent, and the same stream may be sent again', async () => {
  const text = (number: number) => `Text ${number}.`
  async function* broken() {
    for (let number = 0; number < 150; number += 1)
      yield { document: { id: `d${number}`, text: text(number) } }
    throw new Error('the sender fails')
  }
  await assert.rejects(client.ingestDocuments(broken()))
  async function* whole() {
    for (let number = 0; number < 200; number += 1)
      yield { document: { id: `d${number}`, text: text(number) } }
  }
  const reply = await client.ingestDocuments(whole())
  assert.equal(reply.added + reply.unchanged, 200n)
  assert.equal((await client.getStatistics({})).documents, 200n)
})

test('a stream that waits for its next document has the last one stored already', async () => {
  const { promise: looked, resolve: look } = Promise.withResolvers<void>()
  async function* slow() {
    yield { document: { id: 'first', text: 'Zinc.' } }
    await looked
    yield { document: { id: 'second', text: 'Zinc too.' } }
  }
  const ingested = client.ingestDocuments(slow())
  const found = await firstFound('zinc')
  assert.equal(found, 'first')
  look()
  assert.equal((await ingested).added, 2n)
})

async function firstFound(question: string): Promise<string | undefined> {
  for (let attempt = 0; attempt < 500; attempt += 1) {
    const { passages } = await client.retrieve({ question })
    if (passages[0]) return passages[0].documentId
  }
  return undefined
}

test('what the contract does not allow is refused with the field', async () => {
  const twice = [
    { id: 'a', text: 'x' },
    { id: 'a', text: 'y' },
  ]
  await assert.rejects(
    client.putDocuments({ documents: twice }),
    refusal(Code.InvalidArgument, /^documents\[1\]\.id/),
  )
  await assert.rejects(client.putDocuments({ documents: [] }), refusal(Code.InvalidArgument, /^documents/))
  const empty = client.putDocuments({ documents: [{ text: '' }] })
  await assert.rejects(empty, refusal(Code.InvalidArgument, /^documents\[0\]\.text/))
  const long = client.putDocuments({ documents: [{ text: 'x'.repeat(1_048_577) }] })
  await assert.rejects(long, refusal(Code.InvalidArgument, /^documents\[0\]\.text/))
  await assert.rejects(client.retrieve({ question: '' }), refusal(Code.InvalidArgument, /^question/))
  await assert.rejects(client.deleteDocuments({ ids: [''] }), refusal(Code.InvalidArgument, /^ids\[0\]/))
  assert.equal((await client.getStatistics({})).documents, 0n)
})

test('text that is not UTF-8 on the wire is a bad request, and half a character becomes a replacement', async () => {
  const caller = new GrpcClient(`127.0.0.1:${server.port}`, credentials.createInsecure())
  const path = '/nexus.knowledge_retriever.v1.KnowledgeRetrieverService/Retrieve'
  const asIs = (bytes: Buffer) => bytes
  const error = await new Promise<ServiceError | null>((resolve) => {
    caller.makeUnaryRequest(path, asIs, asIs, Buffer.from([0x0a, 2, 0xff, 0x41]), resolve)
  })
  caller.close()
  assert.equal(error?.code, Code.InvalidArgument)
  await client.putDocuments({ documents: [{ id: 'half', text: 'iron \ud800' }] })
  assert.equal((await client.retrieve({ question: 'iron' })).passages[0]?.text, 'iron \ufffd')
})

test('the start is logged with what was found, and a missing setting is named', async () => {
  assert.equal(lines.find(({ event }) => event === 'knowledge_opened')?.documents, 0)
  await assert.rejects(startService({}), /NEXUS_GRAPH_URL is not set: where the documents are kept/)
  await assert.rejects(startService({ NEXUS_GRAPH_URL: 'redis://x' }), /must begin with sqlite:/)
})
