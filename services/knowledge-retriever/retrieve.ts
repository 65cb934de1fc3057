import { rarity, scoreWords, type WordScores } from './bm25.ts'
import type { EntityNode, KnowledgeGraph, PassageNode } from './graph.ts'
import { type WalkScores, walkFrom } from './pagerank.ts'
import { readQuestion } from './question.ts'
import { byScore, type Ranked, rank } from './rank.ts'

/** A passage that was found, with the names through which the graph led to it. */
export interface Found extends Ranked {
  readonly entities: readonly string[]
}

const wordSeeds = 20
/** Of the seeds' mass, what the words get for each 1 that the names of the question get. */
const wordSeedsMass = 0.7
const wordCandidates = 60
const walkCandidates = 60
const titledCandidates = 40
const maxEntitiesShown = 5

/**
 * Finds the passages that answer a question best, best first. Stages: read the question, score the words, walk the graph
 * from the best of them and from the names in the question, rank. Depends on nothing but the documents in the graph.
 */
export function retrieve(graph: KnowledgeGraph, question: string, limit: number): Found[] {
  const read = readQuestion(question, graph.gazetteer)
  const words = scoreWords(graph, read.stems)
  const entities = read.entities.flatMap((key) => graph.entity(key) ?? [])
  const byWords = bestByWords(graph, words, Math.max(wordCandidates, limit))
  const walk = walkFrom(graph, seedsOf(graph, entities, byWords.slice(0, wordSeeds)))
  const candidates = new Set([
    ...byWords.map(({ passage }) => passage),
    ...bestByWalk(walk),
    ...titledByEntities(graph, entities),
  ])
  const ranked = rank(candidates, words, entities, walk).slice(0, limit)
  return ranked.map((found) => ({ ...found, entities: leadingEntities(found.passage, walk) }))
}

function bestByWords(graph: KnowledgeGraph, words: WordScores, count: number): Ranked[] {
  const scored: Ranked[] = []
  for (const ordinal of words.touched) {
    const passage = graph.passage(ordinal)
    if (passage) scored.push({ passage, score: words.scores[ordinal] ?? 0 })
  }
  return scored.sort(byScore).slice(0, count)
}

/** The walk starts at the names of the question, the rarer the more, and at the passages that its words find. */
function seedsOf(
  graph: KnowledgeGraph,
  entities: readonly EntityNode[],
  byWords: readonly Ranked[],
): Map<PassageNode | EntityNode, number> {
  const seeds = new Map<PassageNode | EntityNode, number>()
  const { passages } = graph.counts
  let entityMass = 0
  for (const entity of entities) {
    const count = entity.passages.size
    const mass = rarity(count, passages) / Math.sqrt(count)
    seeds.set(entity, mass)
    entityMass += mass
  }
  const best = byWords[0]?.score ?? 0
  const shares = byWords.map(({ score }) => (score / best) ** 4)
  const total = shares.reduce((sum, share) => sum + share, 0)
  const wordMass = entityMass === 0 ? 1 : entityMass * wordSeedsMass
  byWords.forEach(({ passage }, index) => {
    seeds.set(passage, (wordMass * (shares[index] ?? 0)) / total)
  })
  return seeds
}

function bestByWalk(walk: WalkScores): PassageNode[] {
  const scored = [...walk.passages].map(([passage, score]) => ({ passage, score }))
  return scored
    .sort(byScore)
    .slice(0, walkCandidates)
    .map(({ passage }) => passage)
}

function titledByEntities(graph: KnowledgeGraph, entities: readonly EntityNode[]): PassageNode[] {
  const titled: PassageNode[] = []
  for (const entity of entities) {
    for (const passage of graph.orderedPassages(entity)) {
      if (titled.length >= titledCandidates) return titled
      if (entity.titled.has(passage.ordinal)) titled.push(passage)
    }
  }
  return titled
}

/** The names in a passage that the walk came through, the busiest first, as the passage writes them. */
function leadingEntities(passage: PassageNode, walk: WalkScores): string[] {
  const led: { surface: string; key: string; mass: number }[] = []
  for (const { entity, weight, surface } of passage.mentions) {
    const mass = (walk.entities.get(entity) ?? 0) * weight
    if (mass > 0 && entity.passages.size > 1) led.push({ surface, key: entity.key, mass })
  }
  led.sort((left, right) => right.mass - left.mass || (left.key < right.key ? -1 : 1))
  return led.slice(0, maxEntitiesShown).map(({ surface }) => surface)
}
