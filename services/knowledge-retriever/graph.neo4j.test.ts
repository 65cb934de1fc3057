import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, type TestContext, test } from 'node:test'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { trace } from '@opentelemetry/api'
import { Registry } from 'prom-client'
import { KnowledgeRetrieverService } from '../gen/nexus/knowledge_retriever/v1/knowledge_retriever_service_pb.ts'
import { systemClock } from '../platform/clock.ts'
import { eventually } from '../platform/eventually.testing.ts'
import { freePorts, keepingLog, startTestServer } from '../platform/testing.ts'
import type { OfferedDocument } from './documents.ts'
import { openNeo4jStore } from './graph.neo4j.ts'
import { Knowledge } from './knowledge.ts'
import { start } from './main.ts'
import { startTestNeo4j, type TestNeo4j, withoutNeo4j } from './neo4j.testing.ts'
import { openDocumentStore } from './open.ts'
import { storeContract } from './store.contract.ts'
import { DocumentStoreError, StoreUnavailableError } from './store.ts'

/** What an operation may take at most while the server is down or hangs. */
const boundMs = 12_000
const leastPerSecond = 50

let server: TestNeo4j

before(async () => {
  if (!withoutNeo4j) server = await startTestNeo4j()
})
after(() => server?.close())

storeContract('neo4j', withoutNeo4j, async () => ({
  open: () => openNeo4jStore(server.url, { clock: systemClock }),
  empty: () => server.empty(),
  close: async () => {},
}))

const withServer = { skip: withoutNeo4j }

async function openKnowledge(t: TestContext): Promise<Knowledge> {
  const knowledge = await Knowledge.open(await openDocumentStore(server.url, { clock: systemClock }))
  t.after(() => knowledge.close())
  return knowledge
}

function document(id: string, text: string, title = ''): OfferedDocument {
  return { id, title, text, source: '' }
}

async function firstOf(knowledge: Knowledge, question: string): Promise<string | undefined> {
  const { found } = await knowledge.retrieve(question, 1)
  return found[0]?.passage.document.id
}

async function refusedInTime(work: Promise<unknown>): Promise<void> {
  const began = performance.now()
  await assert.rejects(work, StoreUnavailableError)
  assert.ok(performance.now() - began < boundMs)
}

describe('knowledge in a Neo4j that fails', withServer, () => {
  beforeEach(() => server.empty())

  test('is unavailable in bounded time while the server is down, and goes on by itself when it is back', async (t) => {
    const knowledge = await openKnowledge(t)
    await knowledge.put([document('a', 'Tin is a metal.')])
    await server.stop('SIGKILL')
    t.after(() => server.start())
    await refusedInTime(knowledge.put([document('b', 'Zinc is a metal.')]))
    await refusedInTime(knowledge.retrieve('tin', 1))
    await refusedInTime(knowledge.delete(['a']))
    await refusedInTime(knowledge.statistics())
    const began = performance.now()
    await assert.rejects(knowledge.retrieve('tin', 1), /it has just failed/)
    assert.ok(performance.now() - began < 100)
    await server.start()
    const first = () => firstOf(knowledge, 'tin').catch(() => undefined)
    assert.equal(await eventually('it answers again', first), 'a')
    await knowledge.put([document('b', 'Zinc is a metal.')])
    assert.equal(await firstOf(knowledge, 'zinc'), 'b')
  })

  test('is unavailable in bounded time while the server hangs, and what it then did shows when it wakes', async (t) => {
    const knowledge = await openKnowledge(t)
    await knowledge.put([document('a', 'Tin is a metal.')])
    server.freeze()
    t.after(() => server.thaw())
    const hanging = [
      knowledge.put([document('b', 'Zinc is a metal.')]),
      knowledge.retrieve('tin', 1),
      knowledge.retrieve('zinc', 1),
    ]
    await Promise.all(hanging.map(refusedInTime))
    server.thaw()
    await eventually('it answers again', () => firstOf(knowledge, 'tin').catch(() => undefined), 30_000)
    // Whether the document arrived is not known; sent again, it is there for sure and once.
    const again = () => knowledge.put([document('b', 'Zinc is a metal.')]).catch(() => undefined)
    await eventually('it stores again', again, 30_000)
    assert.equal(await firstOf(knowledge, 'zinc'), 'b')
    assert.equal((await knowledge.statistics()).documents, 2)
  })

  test('is unavailable, and says why, while the server refuses the password that it took before', async (t) => {
    const knowledge = await openKnowledge(t)
    await knowledge.put([document('a', 'Tin is a metal.')])
    await server.query("ALTER USER neo4j SET PASSWORD 'another one' CHANGE NOT REQUIRED")
    t.after(async () => {
      await server.queryAs(
        'another one',
        `ALTER USER neo4j SET PASSWORD '${server.password}' CHANGE NOT REQUIRED`,
      )
    })
    await server.dropConnections('another one')
    await assert.rejects(knowledge.retrieve('tin', 1), /is not available: .*refuses the user or the password/)
  })

  test('is unavailable, and says why, when the database has been emptied by somebody', async (t) => {
    const knowledge = await openKnowledge(t)
    await knowledge.put([document('a', 'Tin is a metal.')])
    await server.empty()
    await assert.rejects(knowledge.retrieve('tin', 1), /holds no knowledge any more/)
    await refusedInTime(knowledge.put([document('b', 'Zinc.')]))
  })
})

describe('the service over a Neo4j', withServer, () => {
  beforeEach(() => server.empty())

  test('answers unavailable, with where and why and without the password, and then goes on by itself', async (t) => {
    const { log, lines } = keepingLog()
    const service = await start({
      env: { NEXUS_GRAPH_URL: server.url },
      log,
      registry: new Registry(),
      tracer: trace.getTracer('test'),
      clock: systemClock,
      transport: () => assert.fail('it calls nobody'),
      signal: new AbortController().signal,
    })
    const served = await startTestServer(service.mounted)
    t.after(async () => {
      await served.close()
      await service.close()
    })
    const client = createClient(KnowledgeRetrieverService, served.transport)
    await client.putDocuments({ documents: [{ id: 'a', text: 'Tin is a metal.' }] })
    await server.stop('SIGKILL')
    const isTold = (error: unknown) => {
      const { code, rawMessage } = ConnectError.from(error)
      assert.equal(code, Code.Unavailable)
      assert.match(
        rawMessage,
        new RegExp(`in bolt://127.0.0.1:${server.port} is not available: .*ECONNREFUSED`),
      )
      return true
    }
    await assert.rejects(client.retrieve({ question: 'tin' }), isTold)
    await assert.rejects(client.putDocuments({ documents: [{ text: 'Zinc.' }] }), isTold)
    await server.start()
    const found = () => client.retrieve({ question: 'tin' }).catch(() => undefined)
    assert.equal((await eventually('it answers again', found)).passages[0]?.documentId, 'a')
    assert.doesNotMatch(JSON.stringify(lines), new RegExp(server.password))
    assert.ok(lines.some(({ event }) => event === 'knowledge_store_unavailable'))
  })
})

describe('the start over a Neo4j', withServer, () => {
  beforeEach(() => server.empty())
  const open = (url: string, password?: string) => openDocumentStore(url, { clock: systemClock, password })
  const refused = (url: string, message: RegExp) =>
    assert.rejects(open(url), (error) => {
      assert.ok(error instanceof DocumentStoreError, String(error))
      assert.match(error.message, message)
      assert.doesNotMatch(error.message, /hunter2/)
      return true
    })

  test('names the server and the password when it refuses the password', async () => {
    for (const scheme of ['bolt', 'neo4j']) {
      const address = `127.0.0.1:${server.port}`
      const message = new RegExp(
        `${scheme}://${address} cannot be opened: it refuses the user or the password`,
      )
      await refused(`${scheme}://neo4j:hunter2@${address}`, message)
    }
  })

  test('names the server when nothing is there, in bounded time', async () => {
    const [port] = await freePorts(1)
    for (const [scheme, reason] of [
      ['bolt', /ECONNREFUSED/],
      ['neo4j', /no server answers/],
    ] as const) {
      const began = performance.now()
      await refused(
        `${scheme}://neo4j:hunter2@127.0.0.1:${port}`,
        new RegExp(`127.0.0.1:${port}.*${reason.source}`),
      )
      assert.ok(performance.now() - began < boundMs)
    }
  })

  test('names the database that is not there, and a URL that cannot be read', async () => {
    await refused(`${server.url.replace(':hunter2', '')}/nobody`, /nobody cannot be opened: .*nobody/)
    await refused('neo4j://neo4j:hunter2@', /is not of the form/)
    await refused('neo4j://neo4j:hunter2@host:7687?x=1', /is not of the form/)
  })

  test('takes the password from its own setting, and routing', async () => {
    const store = await open(`neo4j://127.0.0.1:${server.port}/neo4j`, server.password)
    assert.equal((await store.hashes()).size, 0)
    assert.equal(store.address, `neo4j://127.0.0.1:${server.port}/neo4j`)
    await store.close()
  })

  test('refuses what a later version has written', async (t) => {
    await (await open(server.url)).close()
    await server.query('MATCH (k:NexusKnowledge) SET k.schema = 99')
    t.after(() => server.empty())
    await refused(server.url, /schema 99, this NEXUS reads 1/)
  })
})

describe('knowledge in a Neo4j that several processes share', withServer, () => {
  beforeEach(() => server.empty())

  test('what one stores or forgets, the very next question to the other knows', async (t) => {
    const [one, other] = [await openKnowledge(t), await openKnowledge(t)]
    await one.put([document('a', 'Tin is a metal.')])
    assert.equal(await firstOf(other, 'tin'), 'a')
    await other.put([document('a', 'Zinc is a metal.'), document('b', 'Iron rusts.')])
    assert.equal(await firstOf(one, 'tin'), undefined)
    assert.equal(await firstOf(one, 'zinc'), 'a')
    assert.equal(await one.delete(['b']), 1)
    assert.equal(await firstOf(other, 'iron'), undefined)
    assert.deepEqual(await one.statistics(), await other.statistics())
  })

  test('four writers with the same documents in two processes leave each document once', async (t) => {
    const shared = [await openKnowledge(t), await openKnowledge(t)]
    const documents = Array.from({ length: 60 }, (_, index) =>
      document(`d${index}`, `Number ${index} of Ada Lovelace.`),
    )
    const write = async (writer: number) => {
      const knowledge = shared[writer % 2] as Knowledge
      for (let step = 0; step < 12; step += 1) {
        const from = ((step + writer * 3) % 12) * 5
        await knowledge.put(documents.slice(from, from + 5))
      }
    }
    await Promise.all([0, 1, 2, 3].map(write))
    const counts = async (knowledge: Knowledge) => {
      const { revision: _revision, ...rest } = await knowledge.statistics()
      return rest
    }
    const fresh = await openKnowledge(t)
    assert.equal((await counts(fresh)).documents, 60)
    for (const each of shared) assert.deepEqual(await counts(each), await counts(fresh))
    const rows = await server.query('MATCH (p:NexusPassage) RETURN count(p) AS passages')
    assert.deepEqual(rows, [{ passages: 60 }])
  })
})

describe('knowledge in Neo4j as a graph', withServer, () => {
  beforeEach(() => server.empty())

  test('documents, passages and the names in them can be asked for in Cypher', async (t) => {
    const knowledge = await openKnowledge(t)
    await knowledge.put([
      document('1', 'Blue Sparrow is a film by Maria Okonjo.', 'Blue Sparrow'),
      document('2', 'Maria Okonjo was born in Tallinn.', 'Maria Okonjo'),
    ])
    const rows = await server.query(
      `MATCH (:NexusDocument {id: '1'})-[:HAS_PASSAGE]->()-[:NAMES]->(n)<-[:NAMES]-(p)<-[:HAS_PASSAGE]-(d)
       RETURN n.key AS name, p.text AS text, d.id AS id`,
    )
    assert.deepEqual(rows, [{ name: 'maria okonjo', text: 'Maria Okonjo was born in Tallinn.', id: '2' }])
  })

  test('a deleted document leaves no node and no edge', async (t) => {
    const knowledge = await openKnowledge(t)
    const kept = document('kept', 'Ada Lovelace met Charles Babbage.')
    await knowledge.put([kept])
    const census = () =>
      server.query(
        'MATCH (n) OPTIONAL MATCH (n)-[e]->() RETURN labels(n) AS labels, count(e) AS edges ORDER BY labels, edges',
      )
    const before = await census()
    await knowledge.put([document('x', 'Ada Lovelace saw the Tin Engine. '.repeat(100), 'Tin Engine')])
    await knowledge.put([document('x', 'Charles Babbage sold the Zinc Engine.', 'Zinc Engine')])
    await knowledge.delete(['x'])
    assert.deepEqual(await census(), before)
  })

  test('documents go in by the hundreds a second', async (t) => {
    const knowledge = await openKnowledge(t)
    const count = 2_048
    const text = (index: number) =>
      `Number ${index} was written by Ada Lovelace in ${1800 + (index % 50)}. ${'Words stand here and there. '.repeat(15)}`
    const documents = Array.from({ length: count }, (_, index) =>
      document(`d${index}`, text(index), `Note ${index}`),
    )
    const began = performance.now()
    for (let from = 0; from < count; from += 256) await knowledge.put(documents.slice(from, from + 256))
    const perSecond = (count / (performance.now() - began)) * 1_000
    t.diagnostic(`${Math.round(perSecond)} documents a second into Neo4j`)
    assert.ok(perSecond > leastPerSecond, `${Math.round(perSecond)} a second`)
  })
})
