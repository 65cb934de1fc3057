import { featuresOf } from '../../services/knowledge-retriever/features.ts'
import { KnowledgeGraph } from '../../services/knowledge-retriever/graph.ts'
import { prepareDocument } from '../../services/knowledge-retriever/prepare.ts'
import { Search } from '../../services/knowledge-retriever/search.ts'
import type { TrainingQuestion } from './network.ts'
import { documentsOf, type QuestionSet } from './sets.ts'

/** Documents that are put in at once, as a stream of them would be. */
const batchDocuments = 500
/** Of a question's candidates the best by the untrained score; the rest is too easy to teach anything. */
const maxRows = 100
/** Scarce kinds of question count more; a set that is not named counts 1. */
const setWeights: Readonly<Record<string, number>> = { musique: 3, hotpotqa: 1.5, '2wikimultihopqa': 0.4 }

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

/** What a ranker learns from: each question's candidates and which of them are wanted. */
export function examplesOf(set: QuestionSet, hasTitles: boolean): TrainingQuestion[] {
  const graph = graphOf(set, hasTitles)
  return set.questions.flatMap(({ id, question, gold }): TrainingQuestion[] => {
    const search = new Search(graph, question)
    const rows = featuresOf(search, search.candidates).slice(0, maxRows)
    const wanted = search.candidates
      .slice(0, maxRows)
      .map(({ passage }) => gold.includes(Number(passage.document.id)))
    const weight = setWeights[id.split('/')[0] ?? ''] ?? 1
    return wanted.includes(true) ? [{ rows, gold: wanted, weight }] : []
  })
}
