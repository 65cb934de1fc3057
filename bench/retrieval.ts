import { KnowledgeGraph } from '../services/knowledge-retriever/graph.ts'
import { type PreparedDocument, prepareDocument } from '../services/knowledge-retriever/prepare.ts'
import { type Rank, rankByWords, rankTrained, rankUntrained } from '../services/knowledge-retriever/rank.ts'
import { shippedRanker } from '../services/knowledge-retriever/ranker.ts'
import { Search } from '../services/knowledge-retriever/search.ts'
import { ascending, quantileOfSorted } from '../services/platform/statistics/order.ts'
import type { Bench } from './main.ts'
import { publishedAnchors } from './retrieval/anchors.ts'
import { type Estimate, estimate, type Recall, recallOf } from './retrieval/recall.ts'
import { documentsOf, type QuestionSet, readSets } from './retrieval/sets.ts'

const batchDocuments = 500

/** Recalls of every question by every way of ranking, and what the work cost. */
interface Measured {
  readonly recalls: Readonly<Record<'trained' | 'untrained' | 'words', Recall[]>>
  readonly queryMs: readonly number[]
  readonly ingestPerSecond: number
  readonly passages: number
  readonly rssMb: number
}

type Print = (line: string) => void

/** Recall of gold passages among the best 2 and 5, for each `<set>.dev.json.gz`, with the ranker as it is shipped. */
export const run: Bench = async (print) => {
  const sets = readSets('dev')
  const figures: Record<string, number> = {}
  const costs: Measured[] = []
  print(`ranker trained ${shippedRanker.trained}`)
  print('R@2 and R@5 in %, with 95 % bootstrap intervals; MuSiQue re-weighted to the official mix of hops')
  for (const set of sets) {
    const titled = measure(set, true)
    costs.push(titled)
    const untitled = measure(set, false)
    report(print, figures, set, titled, untitled)
  }
  figures.ingest_per_s = Math.round(Math.max(...costs.map(({ ingestPerSecond }) => ingestPerSecond)))
  const largest = costs.reduce((left, right) => (right.passages > left.passages ? right : left))
  figures.query_ms_p95 = rounded(quantileOfSorted(ascending(largest.queryMs), 0.95))
  figures.rss_mb = Math.round(Math.max(...costs.map(({ rssMb }) => rssMb)))
  print(
    `ingest ${figures.ingest_per_s} passages/s of one core; query p95 ${figures.query_ms_p95} ms over ${largest.passages} passages; ${figures.rss_mb} MB`,
  )
  return figures
}

/** Puts a set's passages into a graph and asks all of its questions. */
function measure(set: QuestionSet, hasTitles: boolean): Measured {
  const graph = new KnowledgeGraph()
  const documents = documentsOf(set, hasTitles)
  const before = process.cpuUsage()
  for (let from = 0; from < documents.length; from += batchDocuments) {
    const added: PreparedDocument[] = documents.slice(from, from + batchDocuments).map(prepareDocument)
    graph.apply({ removed: [], added })
  }
  const { user, system } = process.cpuUsage(before)
  const recalls: Measured['recalls'] = { trained: [], untrained: [], words: [] }
  const queryMs: number[] = []
  for (const question of set.questions) {
    const start = process.cpuUsage()
    const search = new Search(graph, question.question)
    const trained = recall(rankTrained)
    const spent = process.cpuUsage(start)
    queryMs.push((spent.user + spent.system) / 1000)
    recalls.trained.push(trained)
    recalls.untrained.push(recall(rankUntrained))
    recalls.words.push(recall(rankByWords))

    function recall(rank: Rank): Recall {
      return recallOf(
        question,
        rank(search).map(({ passage }) => Number(passage.document.id)),
      )
    }
  }
  const ingestPerSecond = documents.length / ((user + system) / 1e6)
  const rssMb = process.memoryUsage.rss() / 1e6
  return { recalls, queryMs, ingestPerSecond, passages: graph.counts.passages, rssMb }
}

function report(
  print: Print,
  figures: Record<string, number>,
  set: QuestionSet,
  titled: Measured,
  untitled: Measured,
): void {
  print(`${set.name}: ${set.questions.length} questions, ${set.passages.length} passages`)
  const rows: [label: string, recalls: readonly Recall[], figure: string][] = [
    ['shipped ranker', titled.recalls.trained, ''],
    ['untrained', titled.recalls.untrained, '_untrained'],
    ['words alone (BM25)', titled.recalls.words, '_bm25'],
    ['shipped ranker, no titles', untitled.recalls.trained, '_untitled'],
  ]
  for (const [label, recalls, figure] of rows) {
    const at2 = estimate(recalls, (recall) => recall.at2)
    const at5 = estimate(recalls, (recall) => recall.at5)
    print(`  ${label.padEnd(28)} ${told(at2)}   ${told(at5)}`)
    if (figure === '') figures[`${set.name}_r2`] = rounded(at2.mean)
    figures[`${set.name}${figure}_r5`] = rounded(at5.mean)
  }
  for (const { system, at2, at5 } of publishedAnchors(set.name)) {
    print(
      `  ${`${system}, published`.padEnd(28)} ${at2.toFixed(1).padStart(5)}                ${at5.toFixed(1)}`,
    )
  }
}

function told({ mean, low, high }: Estimate): string {
  return `${mean.toFixed(1).padStart(5)} [${low.toFixed(1)}, ${high.toFixed(1)}]`
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10
}
