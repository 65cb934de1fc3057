import { tokenize } from '../platform/text.ts'
import type { Reached } from './beam.ts'
import { kindOf, mentionWeights, passageOf, titledByAlias } from './entity-index.ts'
import { mentionSize, type PassageNode } from './graph.ts'
import type { Search } from './search.ts'
import { noStem } from './vocabulary.ts'

const leadChars = 250
/** How encyclopaedias tell of a life, and of a place. */
const personPattern =
  /\((?:[^()]{0,60}\b)?(?:born\b|(?:1[0-9]|20)[0-9]{2}\b)|\b(?:was|is) an? (?:[\p{L}-]+ ){0,4}(?:actor|actress|singer|writer|author|politician|player|director|musician|artist|composer|painter|poet|king|queen|scientist|producer)\b/u
const placePattern =
  /\b(?:city|town|village|county|state|country|province|district|river|island|region|municipality|located|capital|suburb|neighborhood|lake|mountain)\b/

/** What is known of a passage that may answer a question. */
export interface Candidate {
  readonly passage: PassageNode
  /** Score of its words and title alone, before the graph is looked at. */
  readonly direct: number
  /** How surely it is what a name of the question stands for. */
  readonly titled: number
  /** Share of the question that its title covers. */
  readonly titleShare: number
  readonly reached: Reached | undefined
}

/** The features of a candidate, by name, in the order in which the ranker reads them. */
export const featureNames = [
  'words',
  'coverage',
  'titled',
  'names',
  'title_share',
  'title_said',
  'walk',
  'path_by_title',
  'path_by_mention',
  'path_back',
  'path',
  'gain',
  'relevance',
  'via_rarity',
  'one_hop',
  'two_hops',
  'from_direct',
  'steps',
  'chain',
  'chain_coverage',
  'sentence_gain',
  'sentence_coverage',
  'pairs',
  'rank_words',
  'rank_walk',
  'rank_path',
  'rank_chain',
  'rank_sentence_gain',
  'rank_direct',
  'direct',
  'length',
  'compares',
  'question_length',
  'best_of_both',
  'year_for_when',
  'names_count',
  'asked_count',
  'named_sentence',
  'number_for_how_many',
  'rest',
  'via_asked',
  'title_whole',
  'title_bare',
  'root_titled',
  'root_names',
  'lead_coverage',
  'lead_gain',
  'person_for_who',
  'place_for_where',
  'rest_words',
  'rest_of_path',
  'via_in_title',
  'title_gain',
] as const

export const featureCount = featureNames.length

/** The features of all candidates, one row each. */
export function featuresOf(search: Search, candidates: readonly Candidate[]): Float64Array[] {
  const sentenceGains = candidates.map((candidate) => sentenceGain(search, candidate))
  const ranks = {
    words: ranksBy(candidates, ({ passage }) => search.words.scores[passage.ordinal] as number),
    walk: ranksBy(candidates, ({ passage }) => search.walk.passages[passage.ordinal] as number),
    path: ranksBy(candidates, ({ reached }) => reached?.path ?? 0),
    chain: ranksBy(candidates, ({ reached }) => reached?.chain ?? 0),
    gain: ranksBy(candidates, (_, index) => sentenceGains[index] as number),
    direct: ranksBy(candidates, ({ direct }) => direct),
  }
  const names = namesShares(search)
  return candidates.map((candidate, index) => {
    const { passage, reached, direct } = candidate
    const { words, walk, question } = search
    const mask = words.masks[passage.ordinal] as number
    const path = (reached?.path ?? 0) / search.bestPath
    const named = names.get(passage.ordinal)
    const root = rootOf(candidate)
    return Float64Array.of(
      (words.scores[passage.ordinal] as number) / (words.best || 1),
      words.share(mask),
      candidate.titled,
      named?.share ?? 0,
      candidate.titleShare,
      titleSaid(search, passage),
      (walk.passages[passage.ordinal] as number) / (walk.best || 1),
      (reached?.byKind[0] ?? 0) / search.bestPath,
      (reached?.byKind[1] ?? 0) / search.bestPath,
      (reached?.byKind[2] ?? 0) / search.bestPath,
      path,
      reached?.gain ?? 0,
      reached?.relevance ?? 0,
      reached?.via === undefined ? 0 : search.graph.rarityOf(reached.via.passages.length) / search.maxRarity,
      reached?.hops === 1 ? 1 : 0,
      reached?.hops === 2 ? 1 : 0,
      reached?.from === undefined ? 0 : search.directOf(reached.from.passage.ordinal),
      Math.log1p(reached?.steps ?? 0),
      (reached?.chain ?? 0) / search.bestChain,
      reached?.chainCoverage ?? 0,
      sentenceGains[index] as number,
      bestSentence(search, passage),
      words.pairShare(passage),
      ranks.words[index] as number,
      ranks.walk[index] as number,
      ranks.path[index] as number,
      ranks.chain[index] as number,
      ranks.gain[index] as number,
      ranks.direct[index] as number,
      direct,
      Math.log1p(passage.length),
      question.compares ? 1 : 0,
      Math.log1p(words.stems.length),
      Math.max(direct, path),
      question.asksWhen && /\b1[0-9]{3}\b|\b20[0-9]{2}\b/.test(passage.text) ? 1 : 0,
      named?.count ?? 0,
      search.asked.length,
      namedSentence(search, passage),
      question.asksHowMany && /\b[0-9][0-9.,]*\b/.test(passage.text) ? 1 : 0,
      words.share(mask & ~search.leadMask),
      reached?.via !== undefined && search.askedNumbers.has(reached.via.number) ? 1 : 0,
      search.quotes(passage.titleWords) ? 1 : 0,
      quotesBare(search, passage) ? 1 : 0,
      search.titledOf(root),
      names.get(root)?.share ?? 0,
      ...beyondPath(search, candidate),
    )
  })
}

/** What its beginning, its title and its words say beyond the path to it; without a path, beyond the best passage by words. */
function beyondPath(search: Search, { passage, reached }: Candidate): number[] {
  const { words, question } = search
  const before = reached?.from?.mask ?? (passage.ordinal === search.leadOrdinal ? 0 : search.leadMask)
  const lead = words.sentences(passage)[0] ?? 0
  const start = passage.text.slice(0, leadChars)
  return [
    words.share(lead),
    words.share(lead & ~before),
    question.asksWho && personPattern.test(start) ? 1 : 0,
    question.asksWhere && placePattern.test(start) ? 1 : 0,
    words.scoreOf(passage, ~search.leadMask) / (words.best || 1),
    words.scoreOf(passage, ~before) / (words.best || 1),
    reached?.inTitle === true ? 1 : 0,
    words.share(words.maskOf(passage.titleWords) & ~before),
  ]
}

/** The passage where the best path to a candidate began: the candidate itself when no path led to it. */
export function rootOf({ passage, reached }: Candidate): number {
  let end = reached?.from
  while (end?.previous !== undefined) end = end.previous
  return (end?.passage ?? passage).ordinal
}

/** Whether the question says the title without what stands in brackets at its end. */
function quotesBare(search: Search, { document, titleWords }: PassageNode): boolean {
  const bracket = document.title.lastIndexOf('(')
  const bare = bracket > 0 ? tokenize(document.title.slice(0, bracket)).length : titleWords.length
  return search.quotes(titleWords.subarray(0, bare))
}

/** Reciprocal ranks from 1, equal values at the same rank, 0 for nothing. */
function ranksBy(
  candidates: readonly Candidate[],
  valueAt: (candidate: Candidate, index: number) => number,
): Float64Array {
  const values = Float64Array.from(candidates, valueAt)
  const sorted = values.toSorted().reverse()
  const rankOf = new Map<number, number>()
  sorted.forEach((value, index) => {
    if (!rankOf.has(value)) rankOf.set(value, index + 1)
  })
  return values.map((value) => (value <= 0 ? 0 : 1 / (rankOf.get(value) as number)))
}

/** What the best sentence covers of the question that the path to the passage does not. */
function sentenceGain(search: Search, { passage, reached }: Candidate): number {
  const before = reached?.from?.mask ?? 0
  let best = 0
  for (const mask of search.words.sentences(passage))
    best = Math.max(best, search.words.share(mask & ~before))
  return best
}

function bestSentence(search: Search, passage: PassageNode): number {
  let best = 0
  for (const mask of search.words.sentences(passage)) best = Math.max(best, search.words.share(mask))
  return best
}

/** What the best of the sentences covers that name an entity of the question. */
function namedSentence(search: Search, passage: PassageNode): number {
  const { mentions } = passage
  let holding = 0
  for (let at = 0; at < mentions.length; at += mentionSize) {
    if (search.askedNumbers.has(mentions[at] as number)) holding |= mentions[at + 2] as number
  }
  let best = 0
  if (holding === 0) return best
  search.words.sentences(passage).forEach((mask, sentence) => {
    if ((holding & (1 << sentence)) !== 0) best = Math.max(best, search.words.share(mask))
  })
  return best
}

/** Share of the words of the passage's title that the question says. */
function titleSaid(search: Search, { titleWords }: PassageNode): number {
  let said = 0
  let all = 0
  for (const code of titleWords) {
    if (search.graph.vocabulary.stemOfWord(code >>> 2) === noStem) continue
    all += 1
    if (search.words.bitOfWord(code >>> 2) !== 0) said += 1
  }
  return all === 0 ? 0 : said / all
}

/** For each passage that mentions a name of the question: how many it mentions, and their share of the names' rarity. */
function namesShares(search: Search): Map<number, { share: number; count: number }> {
  const shares = new Map<number, { share: number; count: number }>()
  let total = 0
  for (const entity of search.asked) total += search.graph.rarityOf(entity.passages.length)
  for (const entity of search.asked) {
    const own = search.graph.rarityOf(entity.passages.length) / (total || 1)
    for (const edge of entity.passages) {
      const known = shares.get(passageOf(edge)) ?? { share: 0, count: 0 }
      const weight = kindOf(edge) >= titledByAlias ? 1 : (mentionWeights[kindOf(edge)] as number)
      shares.set(passageOf(edge), { share: known.share + own * weight, count: known.count + 1 })
    }
  }
  return shares
}
