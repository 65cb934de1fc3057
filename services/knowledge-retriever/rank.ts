import { contextFeatures, contextOf } from './context.ts'
import { type Candidate, featuresOf } from './features.ts'
import type { PassageNode } from './graph.ts'
import { type Ranker, scorersOf, shippedRanker } from './ranker.ts'
import type { Search } from './search.ts'

/** A passage with its rank score; only comparable within one question. */
export interface Ranked {
  readonly passage: PassageNode
  readonly score: number
}

export type Rank = (search: Search) => Ranked[]

/** How many of the candidates the second stage orders anew; the others follow them. */
export const secondStageCandidates = 40
/** What the first stage's score counts beside that of the second. */
const firstStageShare = 0.5
/** What a passage loses for each doubling of the better ones that bear its title: evidence is rarely all in one place. */
const sameTitleLoss = 0.5
/** What puts those that the second stage has not seen behind those that it has. */
const behind = 1000

/** Ranks by a trained ranker: each candidate by itself, then the best of them by how they stand to each other. */
export function rankBy(ranker: Ranker): Rank {
  const scorers = scorersOf(ranker)
  return (search) => {
    const { candidates } = search
    const rows = featuresOf(search, candidates)
    const first = Float64Array.from(rows, scorers.first)
    const leading = secondRows(search, rows, first).map(({ place, row }) => ({
      place,
      score: scorers.second(row) + firstStageShare * (first[place] as number),
    }))
    const scores = first.map((score) => score - behind)
    for (const { place, score } of leading) scores[place] = score
    const ranked = candidates.map(({ passage }, place) => ({ passage, score: scores[place] as number }))
    return spreadOverTitles(ranked.sort(byScore)).sort(byScore)
  }
}

/** Takes from each passage for those before it that bear the same title. */
function spreadOverTitles(ranked: readonly Ranked[]): Ranked[] {
  const borne = new Map<string, number>()
  return ranked.map(({ passage, score }) => {
    const title = passage.titleNames[0]?.key ?? passage.id
    const before = borne.get(title) ?? 0
    borne.set(title, before + 1)
    return { passage, score: score - sameTitleLoss * Math.log1p(before) }
  })
}

/** What the second stage reads of the candidates that the first puts in front, best first. */
export function secondRows(
  search: Search,
  rows: readonly Float64Array[],
  first: Float64Array,
): { place: number; row: Float64Array }[] {
  const leading = search.candidates
    .map(({ passage }, place) => ({ place, passage, score: first[place] as number }))
    .sort(byScore)
    .slice(0, secondStageCandidates)
  const context = contextOf(
    search,
    leading.map(({ place }) => search.candidates[place] as Candidate),
  )
  const features = contextFeatures(
    context,
    Float64Array.from(leading, ({ score }) => score),
  )
  return leading.map(({ place }, index) => ({
    place,
    row: Float64Array.of(...(rows[place] as Float64Array), ...(features[index] as Float64Array)),
  }))
}

let shipped: Rank | undefined

/** The candidates by the ranker that is shipped. */
export const rankTrained: Rank = (search) => {
  shipped ??= rankBy(shippedRanker)
  return shipped(search)
}

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
