import { kindOf, mentionWeights, passageOf, titledByAlias } from './entity-index.ts'
import { type KnowledgeGraph, mentionSize } from './graph.ts'

/** Where a random walk from the seeds is found. Values add up to at most 1. */
export interface WalkScores {
  /** By ordinal. */
  readonly passages: Float64Array
  /** By the entity's number. */
  readonly entities: Float64Array
  /** Ordinals of the passages that the walk came to rest on, in no order. */
  readonly touched: readonly number[]
  /** The largest value of a passage. */
  readonly best: number
}

/** Where the walk starts, with what mass: passages by ordinal, entities by number. */
export interface WalkSeeds {
  readonly passages: ReadonlyMap<number, number>
  readonly entities: ReadonlyMap<number, number>
}

const teleport = 0.5
const epsilon = 2e-5
const titledBonus = 3
/** Mass is counted in whole units, so that sums do not depend on the order in which they are made. */
const units = 2 ** 48
/** Far above what epsilon allows; a bound all the same. */
const maxRounds = 200

/**
 * Personalised PageRank by forward push (Andersen, Chung and Lang 2006), all nodes that hold enough pushing at once.
 * It touches the neighbourhood of the seeds only, and equal graphs give equal numbers whatever the order of their making.
 */
export function walkFrom(graph: KnowledgeGraph, seeds: WalkSeeds): WalkScores {
  const walk = new Walk(graph)
  const total = sum(seeds.passages.values()) + sum(seeds.entities.values())
  for (const [ordinal, mass] of seeds.passages) walk.give(ordinal, Math.floor((mass / total) * units))
  for (const [number, mass] of seeds.entities) {
    walk.give(graph.capacity + number, Math.floor((mass / total) * units))
  }
  for (let round = 0; round < maxRounds && walk.step(); round += 1);
  return walk.result()
}

function sum(values: Iterable<number>): number {
  let total = 0
  for (const value of values) total += value
  return total
}

/** Nodes are the passages by ordinal, then the entities by number. */
class Walk {
  readonly #graph: KnowledgeGraph
  readonly #settled: Float64Array
  readonly #residual: Float64Array
  readonly #isWaiting: Int32Array
  readonly #touched: number[] = []
  /** The nodes that have kept something, each once. */
  readonly #keepers: number[] = []
  #waiting: number[] = []

  constructor(graph: KnowledgeGraph) {
    const nodes = graph.capacity + graph.entities.capacity
    this.#graph = graph
    this.#settled = graph.scratch.floats('settled', nodes)
    this.#residual = graph.scratch.floats('residual', nodes)
    this.#isWaiting = graph.scratch.integers('waiting', nodes)
  }

  give(node: number, mass: number): void {
    const held = (this.#residual[node] as number) + mass
    this.#residual[node] = held
    if (this.#isWaiting[node] === 1 || held <= epsilon * units * this.#degreeOf(node)) return
    this.#isWaiting[node] = 1
    this.#waiting.push(node)
  }

  /** Every node that holds enough keeps its share and pushes the rest. Gives false when there is none. */
  step(): boolean {
    const nodes = this.#waiting
    if (nodes.length === 0) return false
    const masses = nodes.map((node) => this.#residual[node] as number)
    for (const node of nodes) {
      this.#residual[node] = 0
      this.#isWaiting[node] = 0
    }
    this.#waiting = []
    const { capacity } = this.#graph
    nodes.forEach((node, index) => {
      const kept = Math.floor(teleport * (masses[index] as number))
      const isPassage = node < capacity
      if (this.#settled[node] === 0) {
        if (isPassage) this.#touched.push(node)
        if (kept > 0) this.#keepers.push(node)
      }
      this.#settled[node] = (this.#settled[node] as number) + kept
      const pushed = (masses[index] as number) - kept
      if (isPassage) this.#pushFromPassage(node, pushed)
      else this.#pushFromEntity(node - capacity, pushed)
    })
    return true
  }

  result(): WalkScores {
    const { capacity } = this.#graph
    const scores = this.#settled
    for (const node of this.#keepers) scores[node] = (scores[node] as number) / units
    const passages = scores.subarray(0, capacity)
    let best = 0
    for (const ordinal of this.#touched) best = Math.max(best, passages[ordinal] as number)
    return { passages, entities: scores.subarray(capacity), touched: this.#touched, best }
  }

  #degreeOf(node: number): number {
    const { capacity, entities } = this.#graph
    if (node >= capacity) return entities.at(node - capacity).passages.length
    return this.#graph.passage(node).mentions.length / mentionSize
  }

  /** To its entities by weight and rarity; an entity that only this passage has leads nowhere. */
  #pushFromPassage(ordinal: number, mass: number): void {
    const { mentions } = this.#graph.passage(ordinal)
    let total = 0
    for (let at = 0; at < mentions.length; at += mentionSize) total += this.#edgeWeight(mentions, at)
    if (total === 0) return
    for (let at = 0; at < mentions.length; at += mentionSize) {
      const weight = this.#edgeWeight(mentions, at)
      if (weight === 0) continue
      this.give(this.#graph.capacity + (mentions[at] as number), Math.floor((mass * weight) / total))
    }
  }

  #edgeWeight(mentions: Int32Array, at: number): number {
    const count = this.#graph.entities.at(mentions[at] as number).passages.length
    if (count < 2) return 0
    return (mentionWeights[mentions[at + 1] as number] as number) * this.#graph.rarityOf(count)
  }

  /** To its passages by weight, above all to those that are about it. */
  #pushFromEntity(number: number, mass: number): void {
    const { passages } = this.#graph.entities.at(number)
    const counts = walkWeights.map(() => 0)
    for (const edge of passages) counts[kindOf(edge)] = (counts[kindOf(edge)] as number) + 1
    let total = 0
    counts.forEach((count, kind) => {
      total += count * walkWeights[kind]!
    })
    for (const edge of passages) {
      this.give(passageOf(edge), Math.floor((mass * (walkWeights[kindOf(edge)] as number)) / total))
    }
  }
}

const walkWeights = mentionWeights.map((weight, kind) =>
  kind >= titledByAlias ? weight * titledBonus : weight,
)
