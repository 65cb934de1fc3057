import type { KnowledgeGraph } from './graph.ts'

/** How the words of a question weigh, and which passages have them. */
export interface WordScores {
  /** BM25 by ordinal; 0 where the passage has no word of the question. */
  readonly scores: Float64Array
  /** Share of the question's weight that the passage's words cover, by ordinal, from 0 to 1. */
  readonly coverage: Float64Array
  /** Ordinals of the passages with a word of the question, in no order. */
  readonly touched: readonly number[]
  /** The question's stems with their weights. */
  readonly weights: ReadonlyMap<string, number>
}

const k1 = 0.9
const b = 0.4

/** Rarity of what `count` of `total` passages have: Robertson's idf, never below zero. */
export function rarity(count: number, total: number): number {
  return Math.log(1 + (total - count + 0.5) / (count + 0.5))
}

/** Scores all passages by the question's stems: Okapi BM25 (Robertson and Zaragoza 2009), each stem counted once. */
export function scoreWords(graph: KnowledgeGraph, stems: readonly string[]): WordScores {
  const scores = new Float64Array(graph.capacity)
  const coverage = new Float64Array(graph.capacity)
  const touched: number[] = []
  const { passages } = graph.counts
  const weights = weigh(graph, stems, passages)
  let totalWeight = 0
  for (const weight of weights.values()) totalWeight += weight
  for (const [stem, weight] of weights) {
    for (const [ordinal, count] of graph.posting(stem) ?? []) {
      if (scores[ordinal] === 0) touched.push(ordinal)
      const length = graph.passage(ordinal)?.length ?? 0
      const norm = k1 * (1 - b + (b * length) / graph.meanLength)
      scores[ordinal] = (scores[ordinal] ?? 0) + (weight * count * (k1 + 1)) / (count + norm)
      coverage[ordinal] = (coverage[ordinal] ?? 0) + weight / totalWeight
    }
  }
  return { scores, coverage, touched, weights }
}

/** Weights of the question's stems. A stem that nothing has weighs as much as the rarest: it stays uncovered. */
function weigh(graph: KnowledgeGraph, stems: readonly string[], passages: number): Map<string, number> {
  const weights = new Map<string, number>()
  for (const stem of stems) weights.set(stem, rarity(graph.posting(stem)?.size ?? 0, passages))
  return weights
}
