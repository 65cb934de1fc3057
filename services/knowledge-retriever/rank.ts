import type { PassageNode } from './graph.ts'
import type { Search } from './search.ts'

/** A passage with its rank score; only comparable within one question. */
export interface Ranked {
  readonly passage: PassageNode
  readonly score: number
}

export function rankTrained(search: Search): Ranked[] {
  return rankUntrained(search)
}

/** The candidates by the score that needs no training. */
export function rankUntrained(search: Search): Ranked[] {
  return search.candidates.map(({ passage }) => ({ passage, score: search.untrained(passage.ordinal) }))
}
