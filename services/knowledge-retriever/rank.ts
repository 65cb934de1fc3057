import { featuresOf } from './features.ts'
import type { PassageNode } from './graph.ts'
import { scorerOf, shippedRanker } from './ranker.ts'
import type { Search } from './search.ts'

/** A passage with its rank score; only comparable within one question. */
export interface Ranked {
  readonly passage: PassageNode
  readonly score: number
}

export type Rank = (search: Search) => Ranked[]

/** The candidates in the order that a ranker gives them, best first, equal ones by the passage's id. */
export function rankBy(scoreOf: (row: Float64Array) => number): Rank {
  return (search) => {
    const rows = featuresOf(search, search.candidates)
    const ranked = search.candidates.map(({ passage }, index) => ({
      passage,
      score: scoreOf(rows[index] as Float64Array),
    }))
    return ranked.sort(byScore)
  }
}

export const rankTrained: Rank = rankBy(scorerOf(shippedRanker))

/** The candidates by the score that needs no training. */
export const rankUntrained: Rank = (search) =>
  search.candidates.map(({ passage }) => ({ passage, score: search.untrained(passage.ordinal) }))

/** By words alone. */
export const rankByWords: Rank = ({ candidates, words }) =>
  candidates
    .map(({ passage }) => ({ passage, score: words.scores[passage.ordinal] as number }))
    .filter(({ score }) => score > 0)
    .sort(byScore)

function byScore(left: Ranked, right: Ranked): number {
  return right.score - left.score || (left.passage.id < right.passage.id ? -1 : 1)
}
