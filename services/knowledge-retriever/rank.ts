import type { WordScores } from './bm25.ts'
import type { EntityNode, PassageNode } from './graph.ts'
import type { WalkScores } from './pagerank.ts'

/** A passage with its rank score; only comparable within one question. */
export interface Ranked {
  readonly passage: PassageNode
  readonly score: number
}

const wordsWeight = 0.5
const coverageWeight = 0.25
const titledWeight = 0.35
const titleWordsWeight = 0.15
const walkWeight = 3

/** Orders passages by words, titles and the walk together; equal scores by passage id. */
export function rank(
  candidates: Iterable<PassageNode>,
  words: WordScores,
  entities: readonly EntityNode[],
  walk: WalkScores,
): Ranked[] {
  const bestWords = largest(words.touched.map((ordinal) => words.scores[ordinal] ?? 0))
  const bestWalk = largest(walk.passages.values())
  const ranked: Ranked[] = []
  for (const passage of candidates) {
    const own = (words.scores[passage.ordinal] ?? 0) / (bestWords || 1)
    const score =
      wordsWeight * own +
      coverageWeight * (words.coverage[passage.ordinal] ?? 0) +
      titledWeight * titledBy(passage, entities) +
      titleWordsWeight * titleWords(passage, words.weights) +
      walkWeight * ((walk.passages.get(passage) ?? 0) / (bestWalk || 1))
    ranked.push({ passage, score })
  }
  return ranked.sort(byScore)
}

/** Best first; ties by passage id, so that equal graphs give equal orders. */
export function byScore(left: Ranked, right: Ranked): number {
  if (left.score !== right.score) return right.score - left.score
  return left.passage.id < right.passage.id ? -1 : 1
}

/** How surely the passage is the one that a name of the question stands for; less when many carry that title. */
function titledBy(passage: PassageNode, entities: readonly EntityNode[]): number {
  let best = 0
  for (const entity of entities) {
    const weight = entity.titled.get(passage.ordinal)
    if (weight === undefined) continue
    best = Math.max(best, weight * Math.min(1, 0.3 + 3 / Math.sqrt(1 + entity.titled.size)))
  }
  return best
}

/** Share of the question's weight that the words of the passage's title cover. */
function titleWords(passage: PassageNode, weights: ReadonlyMap<string, number>): number {
  let covered = 0
  let total = 0
  for (const [stem, weight] of weights) {
    total += weight
    if (passage.titleStems.has(stem)) covered += weight
  }
  return total === 0 ? 0 : covered / total
}

function largest(values: Iterable<number>): number {
  let best = 0
  for (const value of values) best = Math.max(best, value)
  return best
}
