import type { WordScores } from './bm25.ts'
import { type EntityNode, inTitle, kindOf, mentionWeights, passageOf, titledByAlias } from './entity-index.ts'
import { type KnowledgeGraph, mentionSize, type PassageNode } from './graph.ts'

/** A passage at the end of a path of passages, each joined to the next by an entity. */
export interface PathEnd {
  readonly passage: PassageNode
  readonly score: number
  /** The question's stems that the passages on the path have. */
  readonly mask: number
  readonly previous: PathEnd | undefined
}

/** An end in the beam, with what is reached along its path. */
interface BeamEnd extends PathEnd {
  readonly reached: Reached
  readonly previous: BeamEnd | undefined
}

/** How a path came from a passage to the next. */
export const byTitle = 0
export const byMention = 1
export const backFromTitle = 2

/** What the paths to a passage come to. Scores are comparable within one question only. */
export interface Reached {
  readonly passage: PassageNode
  /** The best score of a path to it, and of the last steps by kind: `byTitle`, `byMention`, `backFromTitle`. */
  path: number
  readonly byKind: [number, number, number]
  /** Of the best path: its last passage but one, the entity that joins, and how many steps it has. */
  from: PathEnd | undefined
  via: EntityNode | undefined
  hops: number
  /** Whether that entity stands in its title, or is it. */
  inTitle: boolean
  /** Of its last step: what the joining sentence covers of the question, and what the passage covers that the path did not. */
  relevance: number
  gain: number
  /** How many steps led to it. */
  steps: number
  /** The best value of a chain that it is on, anywhere, and what that chain covers. */
  chain: number
  chainCoverage: number
}

/** A step that is looked at: over which entity, how good the sentence that names it is. */
interface Joint {
  readonly entity: EntityNode
  readonly isOwnTitle: boolean
  readonly isAsked: boolean
  readonly relevance: number
  /** All of the step's score that does not depend on where it leads. */
  readonly factor: number
}

export interface BeamParts {
  readonly graph: KnowledgeGraph
  readonly words: WordScores
  /** Numbers of the entities that the question names. */
  readonly asked: ReadonlySet<number>
}

const beamWidth = 12
const maxHops = 2
const stepDecay = 0.8
const kindFactors = [1, 0.45, 0.55] as const
const askedFactor = 0.5
const minTitleRelevance = 0.1
/** An entity that more passages than this mention leads to those only in whose title it stands, and that add enough. */
export const maxNamedPassages = 60
/** What is mentioned even more often leads by titles alone. */
const maxHubPassages = 2000
/** The share of the question that a passage must add to be reached through a hub that it mentions. */
const minHubGain = 0.05

/** The beam that is carried from step to step, and what it has reached. */
interface Search extends BeamParts {
  readonly reached: Reached[]
  /** By the passage's ordinal: the place in `reached`, plus one. */
  readonly places: Int32Array
  readonly maxRarity: number
}

/**
 * Follows the entities from the best passages to others, two steps far, keeping the best few ends at each. A step counts
 * by how well the sentence that names the entity answers to the question, and by what the next passage adds.
 */
export function searchPaths(parts: BeamParts, starts: readonly PathEnd[]): Reached[] {
  const total = parts.graph.counts.passages
  const search: Search = {
    ...parts,
    reached: [],
    places: parts.graph.scratch.integers('reached', parts.graph.capacity),
    maxRarity: Math.log(1 + total),
  }
  let ends = starts
    .slice(0, beamWidth)
    .map((end): BeamEnd => ({ ...end, previous: undefined, reached: reachedAt(search, end.passage.ordinal) }))
  for (let hop = 1; hop <= maxHops; hop += 1) {
    const next = new Map<Reached, BeamEnd>()
    for (const end of ends) stepFrom(search, end, hop, next)
    ends = bestEnds(next.values())
  }
  return search.reached.filter(({ chain }) => chain > 0)
}

function stepFrom(search: Search, end: BeamEnd, hop: number, next: Map<Reached, BeamEnd>): void {
  const { mentions } = end.passage
  for (let at = 0; at < mentions.length; at += mentionSize) {
    const joint = jointOf(search, end, mentions, at)
    const { passages, titled, inTitles } = joint.entity
    if (passages.length < 2) continue
    const leadsByTitle = joint.isAsked && !joint.isOwnTitle
    const isHub = passages.length > maxNamedPassages
    for (const edge of isHub || leadsByTitle ? titled : passages) step(search, end, joint, edge, hop, next)
    if (!isHub || leadsByTitle) continue
    for (const edge of inTitles) step(search, end, joint, edge, hop, next)
    if (passages.length > maxHubPassages) continue
    for (const edge of passages) {
      if (kindOf(edge) < inTitle && gainOf(search, end, edge) >= minHubGain)
        step(search, end, joint, edge, hop, next)
    }
  }
}

/** What the passage at an edge covers of the question that the path does not. */
function gainOf({ words }: Search, end: PathEnd, edge: number): number {
  const added = (words.masks[passageOf(edge)] as number) & ~end.mask
  // Most passages of a hub add nothing, and hubs have many.
  return added === 0 ? 0 : words.share(added)
}

function jointOf(search: Search, end: PathEnd, mentions: Int32Array, at: number): Joint {
  const { graph, words, asked } = search
  const entity = graph.entities.at(mentions[at] as number)
  const kind = mentions[at + 1] as number
  const isOwnTitle = kind >= titledByAlias
  const isAsked = asked.has(entity.number)
  let relevance = isOwnTitle ? minTitleRelevance : 0
  const holding = mentions[at + 2] as number
  if (holding !== 0) {
    words.sentences(end.passage).forEach((mask, sentence) => {
      if ((holding & (1 << sentence)) !== 0) relevance = Math.max(relevance, words.share(mask))
    })
  }
  const own = graph.rarityOf(entity.passages.length)
  const factor =
    end.score *
    stepDecay *
    (0.35 + (0.65 * own) / search.maxRarity) *
    (0.4 + 0.6 * (mentionWeights[kind] as number)) *
    (isAsked ? askedFactor : 1)
  return { entity, isOwnTitle, isAsked, relevance, factor }
}

function step(
  search: Search,
  end: BeamEnd,
  joint: Joint,
  edge: number,
  hop: number,
  next: Map<Reached, BeamEnd>,
): void {
  const { words } = search
  const ordinal = passageOf(edge)
  if (isOn(end, ordinal)) return
  const mask = words.masks[ordinal] as number
  const gain = gainOf(search, end, edge)
  const kind = kindOf(edge) >= titledByAlias ? byTitle : joint.isOwnTitle ? backFromTitle : byMention
  const weight = mentionWeights[kindOf(edge)] as number
  const score =
    joint.factor * kindFactors[kind] * (0.4 + 0.6 * weight) * (0.45 + 0.9 * joint.relevance + 1.4 * gain)
  const reached = reachedAt(search, ordinal)
  reached.steps += 1
  if (score > reached.byKind[kind]) reached.byKind[kind] = score
  if (score >= reached.path && isBetter(score, end, joint.entity, reached)) {
    reached.path = score
    reached.from = end
    reached.via = joint.entity
    reached.hops = hop
    reached.inTitle = kindOf(edge) >= inTitle
    reached.relevance = joint.relevance
    reached.gain = gain
  }
  const union = end.mask | mask
  const coverage = words.share(union)
  const value = score * (0.3 + coverage)
  raise(reached, value, coverage)
  // Every passage on a chain gets the chain's value, so that a start is known by where it leads.
  for (let at: BeamEnd | undefined = end; at !== undefined; at = at.previous)
    raise(at.reached, value, coverage)
  const known = next.get(reached)
  if (
    known === undefined ||
    score > known.score ||
    (score === known.score && precedes(end, known.previous))
  ) {
    next.set(reached, { passage: reached.passage, score, mask: union, previous: end, reached })
  }
}

function isOn(end: PathEnd, ordinal: number): boolean {
  for (let at: PathEnd | undefined = end; at !== undefined; at = at.previous) {
    if (at.passage.ordinal === ordinal) return true
  }
  return false
}

function raise(reached: Reached, value: number, coverage: number): void {
  if (value < reached.chain) return
  reached.chainCoverage = value > reached.chain ? coverage : Math.max(coverage, reached.chainCoverage)
  reached.chain = value
}

function reachedAt({ graph, reached, places }: Search, ordinal: number): Reached {
  const place = places[ordinal] as number
  if (place > 0) return reached[place - 1] as Reached
  const found: Reached = {
    passage: graph.passage(ordinal),
    path: 0,
    byKind: [0, 0, 0],
    from: undefined,
    via: undefined,
    hops: 0,
    inTitle: false,
    relevance: 0,
    gain: 0,
    steps: 0,
    chain: 0,
    chainCoverage: 0,
  }
  places[ordinal] = reached.push(found)
  return found
}

/** Equal scores are told apart by names, so that equal graphs give equal paths. */
function isBetter(score: number, end: PathEnd, entity: EntityNode, reached: Reached): boolean {
  if (score !== reached.path || reached.from === undefined) return score > reached.path
  if (end.passage.id !== reached.from.passage.id) return precedes(end, reached.from)
  return entity.key < (reached.via as EntityNode).key
}

function precedes(left: PathEnd, right: PathEnd | undefined): boolean {
  return right !== undefined && left.passage.id < right.passage.id
}

function bestEnds(ends: Iterable<BeamEnd>): BeamEnd[] {
  const best: BeamEnd[] = []
  for (const end of ends) {
    const last = best.at(-1)
    if (best.length >= beamWidth && last !== undefined && !isBefore(end, last)) continue
    let at = best.length
    while (at > 0 && isBefore(end, best[at - 1] as BeamEnd)) at -= 1
    best.splice(at, 0, end)
    if (best.length > beamWidth) best.pop()
  }
  return best
}

function isBefore(left: PathEnd, right: PathEnd): boolean {
  return left.score > right.score || (left.score === right.score && left.passage.id < right.passage.id)
}
