// What bench/memory.ts measures in a process of its own: `child.ts <store|start> <folder>` or `child.ts neo4j <url>`.
// The last line that it prints is a JSON object of figures.
import path from 'node:path'
import { Registry } from 'prom-client'
import { createKnowledgeEvents } from '../../services/knowledge-retriever/events.ts'
import { openFromSnapshot } from '../../services/knowledge-retriever/keep-snapshot.ts'
import { Knowledge } from '../../services/knowledge-retriever/knowledge.ts'
import { openDocumentStore } from '../../services/knowledge-retriever/open.ts'
import { SnapshotFile } from '../../services/knowledge-retriever/snapshot-file.ts'
import { systemClock } from '../../services/platform/clock.ts'
import { createLog } from '../../services/platform/log.ts'
import { ascending, quantileOfSorted } from '../../services/platform/statistics/order.ts'
import { documentOf, questionOf, worldOf } from './documents.ts'

const seed = 20_261_122
const passages = 100_000
/** As many as a stream stores at a time. */
const batchDocuments = 256
const questions = 400
const warmUpQuestions = 20
const limit = 5
const neo4jWarmUp = 2_048
const neo4jPassages = 8_192
const lookEveryMs = 5

/** What each measurement gives. */
export interface Measures {
  store: Record<'perSecond' | 'wallS' | 'snapshotS' | 'longestPauseMs' | 'rssMb', number>
  start: Record<
    'wallS' | 'cpuS' | 'longestPauseMs' | 'readAgain' | 'passages' | 'queryMsP50' | 'queryMsP95' | 'rssMb',
    number
  >
  neo4j: Record<'perSecond' | 'cpuS' | 'wallS', number>
}

/** Puts all passages into an empty SQLite file and takes a snapshot. */
async function store(folder: string): Promise<Measures['store']> {
  const { knowledge, snapshot } = await open(folder)
  const ingest = await put(knowledge, 0, passages)
  const pauses = watchPauses()
  const began = performance.now()
  await snapshot.write(knowledge.image())
  const snapshotS = (performance.now() - began) / 1_000
  const longestPauseMs = pauses.end()
  await knowledge.close()
  return {
    perSecond: ingest.count / ingest.cpuS,
    wallS: ingest.wallS,
    snapshotS,
    longestPauseMs,
    rssMb: peakMb(),
  }
}

/** Opens it from the snapshot, and asks. Times are since the process began. */
async function start(folder: string): Promise<Measures['start']> {
  const pauses = watchPauses()
  const { knowledge } = await open(folder)
  const wallS = performance.now() / 1_000
  const cpuS = cpuMs(process.cpuUsage()) / 1_000
  const longestPauseMs = pauses.end()
  const readAgain = knowledge.changes
  const world = worldOf(seed, passages)
  const spent: number[] = []
  for (let number = 0; number < warmUpQuestions + questions; number += 1) {
    const question = questionOf(world, (number * 7_919) % passages)
    const before = process.cpuUsage()
    const { found } = await knowledge.retrieve(question, limit)
    if (found.length === 0) throw new Error(`nothing is found for: ${question}`)
    if (number >= warmUpQuestions) spent.push(cpuMs(process.cpuUsage(before)))
  }
  const sorted = ascending(spent)
  const [queryMsP50, queryMsP95] = [quantileOfSorted(sorted, 0.5), quantileOfSorted(sorted, 0.95)]
  const count = knowledge.inMemory.passages
  await knowledge.close()
  return { wallS, cpuS, longestPauseMs, readAgain, passages: count, queryMsP50, queryMsP95, rssMb: peakMb() }
}

/** Puts passages into an empty Neo4j: by the clock, as the server works beside us. */
async function neo4j(url: string): Promise<Measures['neo4j']> {
  const knowledge = await Knowledge.open(await openDocumentStore(url, { clock: systemClock }))
  await put(knowledge, 0, neo4jWarmUp)
  const { count, wallS, cpuS } = await put(knowledge, neo4jWarmUp, neo4jWarmUp + neo4jPassages)
  await knowledge.close()
  return { perSecond: count / wallS, cpuS, wallS }
}

async function open(folder: string): Promise<{ knowledge: Knowledge; snapshot: SnapshotFile }> {
  const events = createKnowledgeEvents(createLog({ level: 'silent' }), new Registry())
  const snapshot = new SnapshotFile(path.join(folder, 'snapshot'))
  const documents = await openDocumentStore(`sqlite:${path.join(folder, 'knowledge.sqlite')}`, {
    clock: systemClock,
  })
  return { knowledge: await openFromSnapshot(documents, snapshot, events), snapshot }
}

/** Stores the documents of some numbers; what it takes to make them up is not counted. */
async function put(
  knowledge: Knowledge,
  from: number,
  to: number,
): Promise<{ count: number; cpuS: number; wallS: number }> {
  const world = worldOf(seed, passages)
  let [spentMs, lastedMs] = [0, 0]
  for (let number = from; number < to; number += batchDocuments) {
    const count = Math.min(batchDocuments, to - number)
    const documents = Array.from({ length: count }, (_, index) => documentOf(world, number + index))
    const [before, began] = [process.cpuUsage(), performance.now()]
    await knowledge.put(documents)
    spentMs += cpuMs(process.cpuUsage(before))
    lastedMs += performance.now() - began
  }
  return { count: to - from, cpuS: spentMs / 1_000, wallS: lastedMs / 1_000 }
}

/** How long a timer has to wait for its turn at most, until it ends. */
function watchPauses(): { end: () => number } {
  let [last, longest] = [performance.now(), 0]
  const look = () => {
    longest = Math.max(longest, performance.now() - last - lookEveryMs)
    last = performance.now()
  }
  const timer = setInterval(look, lookEveryMs)
  return {
    end: () => {
      look()
      clearInterval(timer)
      return longest
    },
  }
}

function cpuMs({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1_000
}

/** The most memory that the process has had. */
function peakMb(): number {
  return (process.resourceUsage().maxRSS * 1_024) / 1e6
}

const [, , what = '', where = ''] = process.argv
const measured = { store, start, neo4j }[what]
if (measured === undefined) throw new Error(`${what} is nothing that is measured here`)
process.stdout.write(`${JSON.stringify(await measured(where))}\n`)
