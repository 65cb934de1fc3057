import type { EntityKey } from './entities.ts'
import type { KnowledgeGraph, PassageNode } from './graph.ts'
import { isCapital, noStem, ordinalOf, type Vocabulary, type WordCodes, wordIn } from './vocabulary.ts'

/** A list of passages is gone through to spare looking into those of a list that is at most so many times shorter. */
const maxTimesLonger = 30

/** Finds the passages that say a name. Storing a document asks for it with each name that it makes known. */
export class NameSearch {
  readonly #graph: KnowledgeGraph
  /** By ordinal, all 0 between uses. */
  #marks = new Uint8Array(0)

  constructor(graph: KnowledgeGraph) {
    this.#graph = graph
  }

  /** The passages in which a name stands: its words side by side, initials aside, in text or title, the first of them capitalised. */
  passagesThatSay(key: EntityKey): PassageNode[] {
    const { vocabulary } = this.#graph
    const words: number[] = []
    const lists: (readonly number[])[] = []
    for (const word of key.split(' ')) {
      const id = vocabulary.idOf(word)
      if (id === undefined) return []
      words.push(id)
      const stem = vocabulary.stemOfWord(id)
      if (stem !== noStem) lists.push(vocabulary.postings(stem))
    }
    lists.sort((left, right) => left.length - right.length)
    const [rarest = [], next] = lists
    return this.#passagesInBoth(rarest, next)
      .map((ordinal) => this.#graph.passage(ordinal))
      .filter(
        ({ words: text, titleWords }) => says(text, words, vocabulary) || says(titleWords, words, vocabulary),
      )
  }

  /** Ordinals of the passages in two lists of postings; in the first alone where the second would take too long. */
  #passagesInBoth(rarest: readonly number[], next: readonly number[] | undefined): number[] {
    const ordinals = rarest.map(ordinalOf)
    if (next === undefined || next.length > rarest.length * maxTimesLonger) return ordinals
    const { capacity } = this.#graph
    if (this.#marks.length < capacity) this.#marks = new Uint8Array(capacity * 2)
    const marks = this.#marks
    for (const ordinal of ordinals) marks[ordinal] = 1
    const both = next.map(ordinalOf).filter((ordinal) => marks[ordinal] === 1)
    for (const ordinal of ordinals) marks[ordinal] = 0
    return both
  }
}

/**
 * Whether the words stand side by side, or with initials between them, the first of them capitalised: elsewhere the gazetteer
 * does not look for them.
 */
function says(codes: WordCodes, words: readonly number[], vocabulary: Vocabulary): boolean {
  for (let from = 0; from + words.length <= codes.length; from += 1) {
    const code = codes[from] as number
    if (wordIn(code) !== words[0] || !isCapital(code)) continue
    let said = 1
    for (let at = from + 1; at < codes.length && said < words.length; at += 1) {
      const word = wordIn(codes[at] as number)
      if (word === words[said]) said += 1
      else if (!vocabulary.isInitial(word)) break
    }
    if (said === words.length) return true
  }
  return false
}
