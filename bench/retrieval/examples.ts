import { featuresOf } from '../../services/knowledge-retriever/features.ts'
import { KnowledgeGraph } from '../../services/knowledge-retriever/graph.ts'
import { prepareDocument } from '../../services/knowledge-retriever/prepare.ts'
import { secondRows } from '../../services/knowledge-retriever/rank.ts'
import { Search } from '../../services/knowledge-retriever/search.ts'
import { withNamesakes } from './namesakes.ts'
import { documentsOf, joinedSets, type QuestionSet } from './sets.ts'

/** A question as a ranker learns from it. */
export interface Example {
  /** Which of the questions it is: the same one comes over several collections. */
  readonly id: string
  readonly weight: number
  readonly rows: readonly Float64Array[]
  readonly gold: readonly boolean[]
  /** The rows that the second stage reads, given the scores of the first; `place` is that of the candidate. */
  second(first: Float64Array): { row: Float64Array; place: number }[]
}

/** Documents that are put in at once, as a stream of them would be. */
const batchDocuments = 500
/** Scarce kinds of question count more; a set that is not named counts 1. */
const setWeights: Readonly<Record<string, number>> = { musique: 3, hotpotqa: 1.5, '2wikimultihopqa': 0.8 }

/** A graph of all passages of a set. */
export function graphOf(set: QuestionSet, hasTitles: boolean): KnowledgeGraph {
  const graph = new KnowledgeGraph()
  const documents = documentsOf(set, hasTitles)
  for (let from = 0; from < documents.length; from += batchDocuments) {
    const added = documents.slice(from, from + batchDocuments).map(prepareDocument)
    graph.apply({ removed: [], added })
  }
  return graph
}

/** Every question over its own set's passages, over those of all sets, and over these with namesakes; with titles and without. */
export function examplesOf(sets: readonly QuestionSet[]): Example[] {
  const joined = joinedSets(sets)
  const crowded = withNamesakes(joined)
  return [...sets, joined, crowded].flatMap((set) =>
    [true, false].flatMap((hasTitles) => {
      const graph = graphOf(set, hasTitles)
      return set.questions.map(({ id, question, gold }) => {
        const name = set.name === joined.name ? id : `${set.name}/${id}`
        const weight = setWeights[name.split('/')[0] ?? ''] ?? 1
        return exampleOf(graph, question, name, gold, weight)
      })
    }),
  )
}

function exampleOf(
  graph: KnowledgeGraph,
  question: string,
  id: string,
  golds: readonly number[],
  weight: number,
): Example {
  const search = new Search(graph, question)
  const rows = featuresOf(search, search.candidates)
  const gold = search.candidates.map(({ passage }) => golds.includes(Number(passage.document.id)))
  // Asked again, as a search is over when the next one begins.
  const second = (first: Float64Array) => secondRows(new Search(graph, question), rows, first)
  return { id, weight, rows, gold, second }
}
