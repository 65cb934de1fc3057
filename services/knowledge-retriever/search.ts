import { type PathEnd, type Reached, searchPaths } from './beam.ts'
import { WordScores } from './bm25.ts'
import { type EntityNode, kindOf, passageOf, titleWeights } from './entity-index.ts'
import type { Candidate } from './features.ts'
import type { KnowledgeGraph } from './graph.ts'
import { type WalkScores, type WalkSeeds, walkFrom } from './pagerank.ts'
import { type ReadQuestion, readQuestion } from './question.ts'
import { type WordCodes, wordIn } from './vocabulary.ts'

const wordSeeds = 20
/** Of the seeds' mass, what the words get for each 1 that the names of the question get. */
const wordSeedsMass = 0.7
const wordCandidates = 60
const walkCandidates = 60
const titledCandidates = 40
/** A name that no more passages mention brings them all in. */
const rareNamePassages = 15
const maxCandidates = 200
const beamStarts = 12

/** All that is worked out for one question before its candidates are ranked. The next search in the same graph ends it. */
export class Search {
  readonly graph: KnowledgeGraph
  readonly question: ReadQuestion
  /** The entities that the question names. */
  readonly asked: readonly EntityNode[]
  readonly askedNumbers: ReadonlySet<number>
  readonly total: number
  readonly maxRarity: number
  /** Best first by `untrained`. */
  readonly candidates: readonly Candidate[]
  readonly bestPath: number
  readonly bestChain: number
  /** The best passage by words and title, and the question's stems that it has. */
  readonly leadOrdinal: number | undefined
  readonly leadMask: number
  readonly #words: WordScores
  readonly #walk: WalkScores
  readonly #mustBeCurrent: () => void
  readonly #titledBy: ReadonlyMap<number, number>
  readonly #reached: ReadonlyMap<number, Reached>
  /** The numbers of the question's words, -1 for those that no passage has. */
  readonly #wordIds: readonly number[]
  /** By ordinal; -1 until it is asked for. */
  readonly #direct: Float64Array
  readonly #titleShares: Float64Array

  constructor(graph: KnowledgeGraph, question: string) {
    this.graph = graph
    this.question = readQuestion(question, graph.gazetteer)
    this.#mustBeCurrent = graph.scratch.begin()
    this.#words = new WordScores(graph, this.question)
    this.total = graph.counts.passages
    this.maxRarity = Math.log(1 + this.total)
    this.asked = entitiesOf(graph, this.question)
    this.askedNumbers = new Set(this.asked.map(({ number }) => number))
    this.#titledBy = titledBy(this.asked)
    this.#wordIds = this.question.words.map((word) => graph.vocabulary.idOf(word) ?? -1)
    this.#direct = graph.scratch.floats('direct scores', graph.capacity).fill(-1)
    this.#titleShares = graph.scratch.floats('title shares', graph.capacity)
    const byWords = this.#best(
      this.words.touched,
      (ordinal) => this.words.scores[ordinal] as number,
      wordCandidates,
    )
    this.#walk = walkFrom(graph, this.#seeds(byWords.slice(0, wordSeeds)))
    const titledOnes = this.#best(
      [...this.#titledBy.keys()],
      (ordinal) => this.directOf(ordinal),
      titledCandidates,
    )
    const starts = this.#best(
      new Set([...byWords, ...titledOnes]),
      (ordinal) => this.directOf(ordinal),
      beamStarts,
    )
    this.leadOrdinal = starts[0]
    this.leadMask = starts.length === 0 ? 0 : (this.words.masks[starts[0] as number] as number)
    const parts = { graph, words: this.words, asked: this.askedNumbers }
    const reached = searchPaths(parts, this.#pathStarts(starts))
    this.#reached = new Map(reached.map((each) => [each.passage.ordinal, each]))
    const byWalk = this.#best(
      this.walk.touched,
      (ordinal) => this.walk.passages[ordinal] as number,
      walkCandidates,
    )
    const pool = new Set([...byWords, ...titledOnes, ...byWalk, ...this.#reached.keys()])
    for (const { passages } of this.asked) {
      if (passages.length <= rareNamePassages) for (const edge of passages) pool.add(passageOf(edge))
    }
    let bestPath = 0
    let bestChain = 0
    for (const { path, chain } of this.#reached.values()) {
      bestPath = Math.max(bestPath, path)
      bestChain = Math.max(bestChain, chain)
    }
    this.bestPath = bestPath || 1
    this.bestChain = bestChain || 1
    const best = this.#best(pool, (ordinal) => this.untrained(ordinal), maxCandidates)
    this.candidates = best.map((ordinal) => this.#candidate(ordinal))
  }

  get words(): WordScores {
    this.#mustBeCurrent()
    return this.#words
  }

  get walk(): WalkScores {
    this.#mustBeCurrent()
    return this.#walk
  }

  /** The score of words and title alone. */
  directOf(ordinal: number): number {
    const known = this.#direct[ordinal] as number
    if (known >= 0) return known
    const { words } = this
    if (words.masks[ordinal] === 0 && !this.#titledBy.has(ordinal)) return 0
    const titleShare = words.share(words.maskOf(this.graph.passage(ordinal).titleWords))
    const direct =
      (0.5 * (words.scores[ordinal] as number)) / (words.best || 1) +
      0.25 * words.share(words.masks[ordinal] as number) +
      0.35 * (this.#titledBy.get(ordinal) ?? 0) +
      0.15 * titleShare
    this.#direct[ordinal] = direct
    this.#titleShares[ordinal] = titleShare
    return direct
  }

  /** The score that needs no training: the better of words and paths, the walk, and what lies behind. */
  untrained(ordinal: number): number {
    const reached = this.#reached.get(ordinal)
    const walk = (this.walk.passages[ordinal] as number) / (this.walk.best || 1)
    const path = reached?.path ?? 0
    return (
      Math.max(this.directOf(ordinal), path) + 0.5 * walk + (0.3 * (reached?.chain ?? 0)) / this.bestChain
    )
  }

  /** How surely a passage is what a name of the question stands for. */
  titledOf(ordinal: number): number {
    return this.#titledBy.get(ordinal) ?? 0
  }

  /** Whether the question says these words side by side, stop words too, at least one of them capitalised. */
  quotes(words: WordCodes): boolean {
    const { capitals } = this.question
    for (let from = 0; words.length > 0 && from + words.length <= this.#wordIds.length; from += 1) {
      let length = 0
      while (length < words.length && wordIn(words[length] as number) === this.#wordIds[from + length])
        length += 1
      if (length === words.length && capitals.slice(from, from + length).includes(true)) return true
    }
    return false
  }

  #candidate(ordinal: number): Candidate {
    const direct = this.directOf(ordinal)
    const passage = this.graph.passage(ordinal)
    const titled = this.#titledBy.get(ordinal) ?? 0
    const titleShare = this.#titleShares[ordinal] as number
    return { passage, direct, titleShare, titled, reached: this.#reached.get(ordinal) }
  }

  #pathStarts(ordinals: readonly number[]): PathEnd[] {
    return ordinals.map((ordinal) => ({
      passage: this.graph.passage(ordinal),
      score: this.directOf(ordinal),
      mask: this.words.masks[ordinal] as number,
      previous: undefined,
    }))
  }

  /** The ordinals with the largest values, largest first, equal ones by the passage's id. */
  #best(ordinals: Iterable<number>, valueAt: (ordinal: number) => number, count: number): number[] {
    const kept: { ordinal: number; value: number }[] = []
    const precedes = (left: { ordinal: number; value: number }, right: { ordinal: number; value: number }) =>
      left.value > right.value ||
      (left.value === right.value &&
        this.graph.passage(left.ordinal).id < this.graph.passage(right.ordinal).id)
    for (const ordinal of ordinals) {
      const item = { ordinal, value: valueAt(ordinal) }
      const last = kept.at(-1)
      if (kept.length >= count && last !== undefined && !precedes(item, last)) continue
      let at = kept.length
      while (at > 0 && precedes(item, kept[at - 1] as { ordinal: number; value: number })) at -= 1
      kept.splice(at, 0, item)
      if (kept.length > count) kept.pop()
    }
    return kept.map(({ ordinal }) => ordinal)
  }

  /** The walk starts at the names of the question, the rarer the more, and at the passages that its words find. */
  #seeds(byWords: readonly number[]): WalkSeeds {
    const entities = new Map<number, number>()
    let entityMass = 0
    for (const { number, passages } of this.asked) {
      const mass = this.graph.rarityOf(passages.length) / Math.sqrt(passages.length)
      entities.set(number, mass)
      entityMass += mass
    }
    const shares = byWords.map((ordinal) => ((this.words.scores[ordinal] as number) / this.words.best) ** 4)
    const total = shares.reduce((sum, share) => sum + share, 0)
    const wordMass = entityMass === 0 ? 1 : entityMass * wordSeedsMass
    const passages = new Map<number, number>()
    byWords.forEach((ordinal, index) => {
      passages.set(ordinal, (wordMass * (shares[index] as number)) / total)
    })
    return { passages, entities }
  }
}

function entitiesOf(graph: KnowledgeGraph, question: ReadQuestion): EntityNode[] {
  const entities = new Set<EntityNode>()
  for (const key of question.entities) {
    const entity = graph.entities.get(graph.meaningOf(key))
    if (entity !== undefined) entities.add(entity)
  }
  return [...entities]
}

/** How surely each passage is the one that a name of the question stands for; less when many bear that title. */
function titledBy(asked: readonly EntityNode[]): Map<number, number> {
  const best = new Map<number, number>()
  for (const { titled } of asked) {
    const sureness = Math.min(1, 0.3 + 3 / Math.sqrt(1 + titled.length))
    for (const edge of titled) {
      const value = (titleWeights[kindOf(edge)] as number) * sureness
      best.set(passageOf(edge), Math.max(value, best.get(passageOf(edge)) ?? 0))
    }
  }
  return best
}
