import { maxNamedPassages } from './beam.ts'
import type { WordScores } from './bm25.ts'
import { kindOf, mentionWeights, passageOf, titledByAlias } from './entity-index.ts'
import { type Candidate, rootOf } from './features.ts'
import { mentionSize } from './graph.ts'
import type { Search } from './search.ts'

/** How the candidates of a question stand to each other; each is known by its place among them. */
export interface Context {
  readonly count: number
  /** The share of the question that a set of its stems has. */
  readonly share: WordScores['share']
  /** The question's stems that each has, and the names of the question that it mentions, and that title it, as bits. */
  readonly masks: Int32Array
  readonly asked: Int32Array
  readonly askedTitles: Int32Array
  /** The candidate from which the best path came, and the one where it began; -1 when there is none. */
  readonly from: Int32Array
  readonly root: Int32Array
  /** How strongly one leads to another: `[left * count + right]`, by mentioning its title, or a name that it mentions too. */
  readonly titleLinks: Float32Array
  readonly otherLinks: Float32Array
}

const maxAskedBits = 31

/** Looks at how the candidates are joined. */
export function contextOf(search: Search, candidates: readonly Candidate[]): Context {
  const count = candidates.length
  const places = new Map(candidates.map(({ passage }, place) => [passage.ordinal, place]))
  const placeOf = (ordinal: number | undefined) => (ordinal === undefined ? -1 : (places.get(ordinal) ?? -1))
  const context: Context = {
    count,
    share: search.words.share,
    masks: Int32Array.from(candidates, ({ passage }) => search.words.masks[passage.ordinal] as number),
    asked: new Int32Array(count),
    askedTitles: new Int32Array(count),
    from: Int32Array.from(candidates, ({ reached }) => placeOf(reached?.from?.passage.ordinal)),
    root: Int32Array.from(candidates, (candidate) => placeOf(rootOf(candidate))),
    titleLinks: new Float32Array(count * count),
    otherLinks: new Float32Array(count * count),
  }
  search.asked.slice(0, maxAskedBits).forEach(({ passages }, bit) => {
    for (const edge of passages) {
      const place = placeOf(passageOf(edge))
      if (place < 0) continue
      context.asked[place] = (context.asked[place] as number) | (1 << bit)
      if (kindOf(edge) < titledByAlias) continue
      context.askedTitles[place] = (context.askedTitles[place] as number) | (1 << bit)
    }
  })
  candidates.forEach((candidate, place) => {
    joinFrom(search, context, candidate, place, places)
  })
  return context
}

function joinFrom(
  search: Search,
  context: Context,
  { passage }: Candidate,
  place: number,
  places: ReadonlyMap<number, number>,
): void {
  const { graph, words } = search
  const sentences = words.sentences(passage)
  const { mentions } = passage
  for (let at = 0; at < mentions.length; at += mentionSize) {
    const entity = graph.entities.at(mentions[at] as number)
    if (entity.passages.length < 2) continue
    const holding = mentions[at + 2] as number
    let relevance = 0
    for (let sentence = 0; sentence < sentences.length; sentence += 1) {
      if ((holding & (1 << sentence)) === 0) continue
      relevance = Math.max(relevance, words.share(sentences[sentence] as number))
    }
    const factor =
      (0.35 + (0.65 * graph.rarityOf(entity.passages.length)) / search.maxRarity) *
      (0.4 + 0.6 * (mentionWeights[mentions[at + 1] as number] as number)) *
      (0.45 + 0.9 * relevance)
    const isHub = entity.passages.length > maxNamedPassages
    for (const edge of isHub ? [...entity.titled, ...entity.inTitles] : entity.passages) {
      const other = places.get(passageOf(edge))
      if (other === undefined || other === place) continue
      const strength = factor * (0.4 + 0.6 * (mentionWeights[kindOf(edge)] as number))
      const links = kindOf(edge) >= titledByAlias ? context.titleLinks : context.otherLinks
      const cell = place * context.count + other
      links[cell] = Math.max(links[cell] as number, strength)
    }
  }
}

/** The features that a candidate has by the others, in the order in which the second ranker reads them. */
export const contextNames = [
  'score_to_first',
  'score_to_second',
  'score_to_fifth',
  'rank',
  'probability',
  'first_names_it',
  'it_names_first',
  'shares_with_first',
  'second_names_it',
  'it_names_second',
  'shares_with_second',
  'adds_to_first',
  'adds_to_both',
  'best_named',
  'named',
  'names',
  'shares',
  'best_names',
  'rank_of_same_from',
  'rank_of_same_root',
  'score_to_root',
  'asked_beyond_first',
  'titled_beyond_first',
  'best_shared',
] as const

/** The leading candidates that the others are held against. */
const leaders = 20

/** Features of all candidates by what the first ranker thinks of them, one row each. */
export function contextFeatures(context: Context, scores: Float64Array): Float64Array[] {
  const { count, masks, share, titleLinks, otherLinks } = context
  const order = Array.from({ length: count }, (_, place) => place)
  order.sort((left, right) => (scores[right] as number) - (scores[left] as number) || left - right)
  const rank = new Int32Array(count)
  order.forEach((place, index) => {
    rank[place] = index
  })
  const probabilities = softmax(scores)
  const scoreAt = (place: number) => scores[place] as number
  return order.map((_, place) => {
    const leading = order.slice(0, leaders).filter((other) => other !== place)
    const [first = place, second = first, , fourth = second] = leading
    const own = masks[place] as number
    const sums = { named: 0, bestNamed: 0, names: 0, bestNames: 0, shares: 0, bestShared: 0 }
    for (const other of leading) {
      const chance = probabilities[other] as number
      const to = chance * (titleLinks[other * count + place] as number)
      const back = chance * (titleLinks[place * count + other] as number)
      sums.named += to
      sums.names += back
      sums.shares += chance * (otherLinks[other * count + place] as number)
      const otherMask = masks[other] as number
      sums.bestNamed = Math.max(sums.bestNamed, to * (0.3 + share(own & ~otherMask)))
      const shared = chance * (otherLinks[other * count + place] as number)
      sums.bestShared = Math.max(sums.bestShared, shared * (0.3 + share(own & ~otherMask)))
      sums.bestNames = Math.max(sums.bestNames, back * (0.3 + share(otherMask & ~own)))
    }
    const root = kinOf(context.root, place, context.root[place] as number, scores)
    const from = kinOf(context.from, place, context.from[place] as number, scores)
    return Float64Array.of(
      scoreAt(place) - scoreAt(first),
      scoreAt(place) - scoreAt(second),
      scoreAt(place) - scoreAt(fourth),
      1 / (1 + (rank[place] as number)),
      probabilities[place] as number,
      titleLinks[first * count + place] as number,
      titleLinks[place * count + first] as number,
      otherLinks[first * count + place] as number,
      titleLinks[second * count + place] as number,
      titleLinks[place * count + second] as number,
      otherLinks[second * count + place] as number,
      share(own & ~(masks[first] as number)),
      share(own & ~((masks[first] as number) | (masks[second] as number))),
      sums.bestNamed,
      sums.named,
      sums.names,
      sums.shares,
      sums.bestNames,
      from.rank,
      root.rank,
      root.gap,
      bits((context.asked[place] as number) & ~(context.asked[first] as number)),
      bits((context.askedTitles[place] as number) & ~(context.askedTitles[first] as number)) > 0 ? 1 : 0,
      sums.bestShared,
    )
  })
}

function softmax(scores: Float64Array): Float64Array {
  const top = scores.reduce((best, score) => Math.max(best, score), Number.NEGATIVE_INFINITY)
  const powers = scores.map((score) => Math.exp(score - top))
  const total = powers.reduce((sum, power) => sum + power, 0)
  return powers.map((power) => power / total)
}

/** The reciprocal rank of a candidate among those of the same kin, and how far it is ahead of the best of the others. */
function kinOf(
  kin: Int32Array,
  place: number,
  own: number,
  scores: Float64Array,
): { rank: number; gap: number } {
  if (own < 0) return { rank: 0, gap: 0 }
  let better = 0
  let best = Number.NEGATIVE_INFINITY
  for (let other = 0; other < kin.length; other += 1) {
    if (other === place || kin[other] !== own) continue
    if ((scores[other] as number) > (scores[place] as number)) better += 1
    best = Math.max(best, scores[other] as number)
  }
  return {
    rank: 1 / (1 + better),
    gap: best === Number.NEGATIVE_INFINITY ? 0 : (scores[place] as number) - best,
  }
}

function bits(mask: number): number {
  let count = 0
  for (let rest = mask; rest !== 0; rest &= rest - 1) count += 1
  return count
}
