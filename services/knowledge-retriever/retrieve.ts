import { tokenize } from '../platform/text.ts'
import { mentionWeights } from './entity-index.ts'
import { type KnowledgeGraph, mentionSize, type PassageNode } from './graph.ts'
import { type Ranked, rankTrained } from './rank.ts'
import { Search } from './search.ts'
import type { WordCodes } from './vocabulary.ts'

/** A passage that was found, with the names through which the graph led to it. */
export interface Found extends Ranked {
  readonly entities: readonly string[]
}

const maxEntitiesShown = 5

/**
 * Finds the passages that answer a question best, best first. Stages: read the question, score the words, walk the graph
 * from the best of them and from the names in the question, follow paths, rank. Depends on nothing but the documents.
 */
export function retrieve(graph: KnowledgeGraph, question: string, limit: number): Found[] {
  const search = new Search(graph, question)
  const ranked = rankTrained(search).slice(0, limit)
  return ranked.map((found) => ({ ...found, entities: leadingEntities(search, found.passage) }))
}

/** The names in a passage that the walk came through, the busiest first, as the passage writes them. */
function leadingEntities({ graph, walk }: Search, passage: PassageNode): string[] {
  const led: { key: string; mass: number }[] = []
  const { mentions } = passage
  for (let at = 0; at < mentions.length; at += mentionSize) {
    const { key, number, passages } = graph.entities.at(mentions[at] as number)
    const mass = (walk.entities[number] as number) * (mentionWeights[mentions[at + 1] as number] as number)
    if (mass > 0 && passages.length > 1) led.push({ key, mass })
  }
  led.sort((left, right) => right.mass - left.mass || (left.key < right.key ? -1 : 1))
  const surfaces = surfacesIn(graph, passage)
  return led.slice(0, maxEntitiesShown).map(({ key }) => surfaces.get(key) ?? key)
}

/** How a passage writes its entities: the first time in its text, else in its title. */
function surfacesIn(graph: KnowledgeGraph, passage: PassageNode): Map<string, string> {
  const surfaces = new Map<string, string>()
  const note = (text: string, words: WordCodes) => {
    const tokens = tokenize(text)
    for (const { key, from, to } of graph.gazetteer.matches(words)) {
      const name = graph.meaningOf(key)
      const surface = text.slice(tokens[from]?.start, tokens[to - 1]?.end).replace(/\s+/g, ' ')
      if (!surfaces.has(name)) surfaces.set(name, surface)
    }
  }
  note(passage.text, passage.words)
  if (passage.document.title.trim() !== '') note(passage.document.title, passage.titleWords)
  return surfaces
}
