import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Registry } from 'prom-client'
import { systemClock } from '../platform/clock.ts'
import { eventually, seededRandom } from '../platform/eventually.testing.ts'
import { silentLog } from '../platform/testing.ts'
import { createKnowledgeEvents } from './events.ts'
import { openFromSnapshot } from './keep-snapshot.ts'
import { Knowledge } from './knowledge.ts'
import { startTestNeo4j, withoutNeo4j } from './neo4j.testing.ts'
import { numberedDocument } from './numbered.testing.ts'
import { openDocumentStore } from './open.ts'
import { SnapshotFile } from './snapshot-file.ts'
import { StoreUnavailableError } from './store.ts'

const seed = 20_261_122
/** How often the writer is killed, and how often the server, which takes its time to start. */
const kills = Number(process.env.NEXUS_KNOWLEDGE_KILLS ?? 6)
const neo4jKills = Number(process.env.NEXUS_NEO4J_KILLS ?? 2)
/** A kill comes at most this long after a random acknowledgement. */
const maxDelayMs = 20
const batchDocuments = 200
const questions = ['What stood in Tallinn?', 'What does it say of West Virginia and 1725?', 'Old Iron Works']

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-kill-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

async function openFrom(url: string, snapshot: SnapshotFile): Promise<Knowledge> {
  const events = createKnowledgeEvents(silentLog, new Registry())
  return openFromSnapshot(await openDocumentStore(url, { clock: systemClock }), snapshot, events)
}

async function answersOf(knowledge: Knowledge): Promise<unknown> {
  const { revision: _revision, ...counts } = await knowledge.statistics()
  const answers: unknown[] = []
  for (const question of questions) {
    const { found } = await knowledge.retrieve(question, 20)
    answers.push(found.map(({ passage, score, entities }) => [passage.id, passage.text, score, entities]))
  }
  return { counts, answers }
}

/** Each of the first documents is there whole, and beyond them none but the batch that was under way. */
async function hasAll(knowledge: Knowledge, acknowledged: number, note: string): Promise<void> {
  const { documents } = await knowledge.statistics()
  assert.ok(documents >= acknowledged, `${note}: ${documents} of ${acknowledged}`)
  for (const number of new Set([1, 2, Math.ceil(acknowledged / 2), acknowledged])) {
    if (number < 1) continue
    const { found } = await knowledge.retrieve(`number${number}`, 1)
    assert.equal(found[0]?.passage.document.text, numberedDocument(number).text, note)
  }
  // Not one is missing or other than it was: offered again, each is unchanged.
  for (let number = 0; number < acknowledged; number += batchDocuments) {
    const count = Math.min(batchDocuments, acknowledged - number)
    const again = Array.from({ length: count }, (_, index) => numberedDocument(number + index + 1))
    for (const { id, outcome } of await knowledge.put(again)) {
      assert.equal(outcome, 'unchanged', `${note}: ${id} had been lost`)
    }
  }
}

/** The index equals one that is built from the same documents, put in at once and in another order. */
async function equalsRebuild(knowledge: Knowledge, last: number, folder: string): Promise<void> {
  const fresh = await Knowledge.open(
    await openDocumentStore(`sqlite:${path.join(folder, `fresh-${last}-${Math.random()}`)}`, {
      clock: systemClock,
    }),
  )
  const numbers: number[] = []
  for (let number = last; number > 0; number -= 1) {
    const { found } = await knowledge.retrieve(`number${number}`, 1)
    if (found[0]?.passage.document.id === `d${number}`) numbers.push(number)
  }
  await fresh.put(numbers.map(numberedDocument))
  assert.deepEqual(await answersOf(knowledge), await answersOf(fresh))
  await fresh.close()
}

/** Stores documents from a child process and kills it a moment after a number of acknowledgements; gives the last number. */
async function storeUntilKilled(
  words: readonly string[],
  acknowledgements: number,
  delayMs: number,
): Promise<number> {
  const script = path.join(import.meta.dirname, 'store-forever.testing.ts')
  const args = ['--disable-warning=ExperimentalWarning', script, ...words]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  let last = Number(words[2])
  let heard = 0
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line)
    heard += 1
    if (heard === acknowledgements) setTimeout(() => child.kill('SIGKILL'), delayMs)
  }
  await exited
  assert.equal(child.signalCode, 'SIGKILL')
  return last
}

async function killWriters(t: TestContext, url: string, times: number): Promise<void> {
  const folder = temporaryFolder(t)
  const random = seededRandom(seed)
  const snapshot = new SnapshotFile(path.join(folder, 'snapshot'))
  let acknowledged = 0
  for (let round = 0; round < times; round += 1) {
    const words = [url, snapshot.path, String(acknowledged)]
    const count = 1 + Math.floor(random() * 25)
    acknowledged = await storeUntilKilled(words, count, random() * maxDelayMs)
    const knowledge = await openFrom(url, snapshot)
    await hasAll(knowledge, acknowledged, `round ${round}`)
    if (round % 10 === 9 || round === times - 1) await equalsRebuild(knowledge, acknowledged + 10, folder)
    await knowledge.close()
  }
  t.diagnostic(`${times} kills, ${acknowledged} documents acknowledged`)
}

test(`in SQLite: killed ${kills} times while it stores, it opens with all that it had acknowledged (seed ${seed})`, async (t) => {
  await killWriters(t, `sqlite:${path.join(temporaryFolder(t), 'knowledge.sqlite')}`, kills)
})

test(`in Neo4j: killed ${kills} times while it stores, it opens with all that it had acknowledged (seed ${seed})`, {
  skip: withoutNeo4j,
}, async (t) => {
  const server = await startTestNeo4j()
  t.after(() => server.close())
  await killWriters(t, server.url, kills)
})

test(`in Neo4j: the server killed ${neo4jKills} times under load loses nothing that was acknowledged (seed ${seed})`, {
  skip: withoutNeo4j,
}, async (t) => {
  const folder = temporaryFolder(t)
  const server = await startTestNeo4j()
  t.after(() => server.close())
  const random = seededRandom(seed)
  const knowledge = await Knowledge.open(await openDocumentStore(server.url, { clock: systemClock }))
  t.after(() => knowledge.close())
  let acknowledged = 0
  for (let round = 0; round < neo4jKills; round += 1) {
    const goal = acknowledged + 5 + Math.floor(random() * 60)
    const ending = new AbortController()
    const ended = storeUntil(ending.signal, knowledge, acknowledged, (number) => {
      acknowledged = number
    })
    await eventually('enough is acknowledged', () => acknowledged >= goal, 120_000)
    await sleep(random() * maxDelayMs)
    await server.stop('SIGKILL')
    ending.abort()
    await ended
    await server.start()
    const isBack = () => knowledge.statistics().catch(() => undefined)
    await eventually('it answers again', isBack, 60_000)
    await hasAll(knowledge, acknowledged, `round ${round}`)
    const opened = await Knowledge.open(await openDocumentStore(server.url, { clock: systemClock }))
    assert.deepEqual(await answersOf(opened), await answersOf(knowledge), `round ${round}`)
    await opened.close()
  }
  await equalsRebuild(knowledge, acknowledged + 10, folder)
  t.diagnostic(`${neo4jKills} kills of the server, ${acknowledged} documents acknowledged`)
})

/** Stores batch after batch; what was refused is sent again, as nobody knows whether it was stored. */
async function storeUntil(
  signal: AbortSignal,
  knowledge: Knowledge,
  from: number,
  onAcknowledged: (number: number) => void,
): Promise<void> {
  for (let number = from; !signal.aborted; ) {
    try {
      await knowledge.put([1, 2, 3, 4].map((step) => numberedDocument(number + step)))
      number += 4
      onAcknowledged(number)
    } catch (error) {
      assert.ok(error instanceof StoreUnavailableError, String(error))
      await sleep(10)
    }
  }
}
