import { type KnowledgeGraph, type PassageNode, titleTermWeight } from './graph.ts'
import { maxSentences } from './mentions.ts'
import type { ReadQuestion } from './question.ts'
import {
  countOf,
  maxCountInPosting,
  noStem,
  ordinalOf,
  startsSentence,
  type WordCodes,
  wordIn,
} from './vocabulary.ts'

/** More stems than bits are not asked for: the rarest stay. */
export const maxQuestionStems = 32

const k1 = 0.9
const b = 0.4

/** How the words of a question weigh, and which passages have them. A set of the question's stems is the bits of an integer. */
export class WordScores {
  /** BM25 by ordinal; 0 where the passage has no word of the question. */
  readonly scores: Float64Array
  /** The question's stems in text and title, by ordinal. */
  readonly masks: Int32Array
  readonly #touched: Int32Array
  #touchedCount = 0
  /** The largest of the scores. */
  best = 0
  /** The question's stems that count, in the order of the question, and the weight of each. */
  readonly stems: readonly string[]
  readonly weights: readonly number[]
  readonly #graph: KnowledgeGraph
  readonly #bitOfStem: Int32Array
  /** The share of the question's weight that a set of its stems has, from 0 to 1. */
  readonly share: (mask: number) => number
  /** Neighbouring stems of the question, as `pairKey` writes them. */
  readonly #pairs: ReadonlySet<number>
  readonly #read = new Map<number, ReadWords>()

  /** Scores all passages by the stems: Okapi BM25 (Robertson and Zaragoza 2009), each stem counted once. */
  constructor(graph: KnowledgeGraph, { stems, pairs }: Pick<ReadQuestion, 'stems' | 'pairs'>) {
    this.#graph = graph
    this.scores = graph.scratch.floats('word scores', graph.capacity)
    this.masks = graph.scratch.integers('word masks', graph.capacity)
    this.#touched = graph.scratch.integers('word passages', graph.capacity)
    this.#bitOfStem = graph.scratch.integers('question bits', graph.vocabulary.stemCapacity)
    const weighed = weigh(graph, stems)
    this.stems = weighed.map(({ stem }) => stem)
    this.weights = weighed.map(({ weight }) => weight)
    this.share = shareOf(this.weights)
    this.#pairs = pairsOf(pairs, this.stems)
    weighed.forEach(({ id, weight }, index) => {
      if (id === undefined) return
      this.#bitOfStem[id] = 1 << index
      this.#score(id, weight, 1 << index)
    })
    for (const ordinal of this.touched) this.best = Math.max(this.best, this.scores[ordinal] as number)
  }

  /** Ordinals of the passages with a word of the question, in no order. */
  get touched(): Int32Array {
    return this.#touched.subarray(0, this.#touchedCount)
  }

  /** The question's stems in some words. */
  maskOf(words: WordCodes): number {
    let mask = 0
    for (const code of words) mask |= this.bitOfWord(wordIn(code))
    return mask
  }

  /** The bit of a word's stem; 0 when the question does not have it. */
  bitOfWord(word: number): number {
    const stem = this.#graph.vocabulary.stemOfWord(word)
    return stem === noStem ? 0 : (this.#bitOfStem[stem] as number)
  }

  /** The question's stems in each sentence of a passage's text. */
  sentences(passage: PassageNode): readonly number[] {
    return this.#readWords(passage).sentences
  }

  /** Share of the question's neighbouring stems that are neighbours in a passage too. */
  pairShare(passage: PassageNode): number {
    return this.#pairs.size === 0 ? 0 : this.#readWords(passage).pairs / this.#pairs.size
  }

  /** BM25 of a passage by some of the question's stems alone. */
  scoreOf(passage: PassageNode, stems: number): number {
    const norm = k1 * (1 - b + (b * passage.length) / this.#graph.meanLength)
    const { counts } = this.#readWords(passage)
    let score = 0
    for (let rest = stems & (this.masks[passage.ordinal] as number); rest !== 0; rest &= rest - 1) {
      const bit = 31 - Math.clz32(rest & -rest)
      const count = counts[bit] as number
      score += ((this.weights[bit] as number) * count * (k1 + 1)) / (count + norm)
    }
    return score
  }

  #readWords(passage: PassageNode): ReadWords {
    let read = this.#read.get(passage.ordinal)
    if (read === undefined) {
      const pairs = new Set<number>()
      const sentences: number[] = []
      const counts = new Uint8Array(maxQuestionStems)
      this.#scan(passage.words, 1, sentences, pairs, counts)
      this.#scan(passage.titleWords, titleTermWeight, [], pairs, counts)
      read = { sentences, pairs: pairs.size, counts }
      this.#read.set(passage.ordinal, read)
    }
    return read
  }

  #scan(words: WordCodes, weight: number, sentences: number[], pairs: Set<number>, counts: Uint8Array): void {
    const { vocabulary } = this.#graph
    let before = 0
    for (const code of words) {
      if (startsSentence(code) && sentences.length < maxSentences) sentences.push(0)
      const stem = vocabulary.stemOfWord(wordIn(code))
      if (stem === noStem) continue
      const bit = this.#bitOfStem[stem] as number
      if (bit !== 0) {
        const at = 31 - Math.clz32(bit)
        counts[at] = Math.min(maxCountInPosting, (counts[at] as number) + weight)
        sentences[sentences.length - 1] = (sentences[sentences.length - 1] as number) | bit
        if (before !== 0 && this.#pairs.has(pairKey(before, bit))) pairs.add(pairKey(before, bit))
      }
      before = bit
    }
  }

  #score(stem: number, weight: number, bit: number): void {
    const { meanLength: mean, lengths } = this.#graph
    const { masks, scores } = this
    const touched = this.#touched
    let count = this.#touchedCount
    for (const posting of this.#graph.vocabulary.postings(stem)) {
      const ordinal = ordinalOf(posting)
      const times = countOf(posting)
      const norm = k1 * (1 - b + (b * (lengths[ordinal] as number)) / mean)
      const mask = masks[ordinal] as number
      if (mask === 0) {
        touched[count] = ordinal
        count += 1
      }
      masks[ordinal] = mask | bit
      scores[ordinal] = (scores[ordinal] as number) + (weight * times * (k1 + 1)) / (times + norm)
    }
    this.#touchedCount = count
  }
}

/** What a passage's words are to the question: its stems by sentence, and how many of its pairs there are. */
interface ReadWords {
  readonly sentences: readonly number[]
  readonly pairs: number
  /** How often each stem of the question is said, in the title as often as `titleTermWeight`. */
  readonly counts: Uint8Array
}

/** A pair of stems, by their bits, as one number. */
function pairKey(left: number, right: number): number {
  return Math.clz32(left) * 32 + Math.clz32(right)
}

function pairsOf(pairs: ReadQuestion['pairs'], stems: readonly string[]): Set<number> {
  const bits = new Map(stems.map((stem, index) => [stem, 1 << index]))
  const keys = new Set<number>()
  for (const [left, right] of pairs) {
    const [leftBit, rightBit] = [bits.get(left), bits.get(right)]
    if (leftBit !== undefined && rightBit !== undefined) keys.add(pairKey(leftBit, rightBit))
  }
  return keys
}

/** Weights of the stems by rarity. A stem that nothing has weighs as much as the rarest: it stays uncovered. */
function weigh(
  graph: KnowledgeGraph,
  stems: readonly string[],
): { stem: string; id: number | undefined; weight: number }[] {
  const weighed = stems.map((stem, place) => {
    const id = graph.vocabulary.stemId(stem)
    const count = id === undefined ? 0 : graph.vocabulary.postings(id).length
    return { stem, id, weight: graph.rarityOf(count), place }
  })
  if (weighed.length <= maxQuestionStems) return weighed
  weighed.sort((left, right) => right.weight - left.weight || left.place - right.place)
  return weighed.slice(0, maxQuestionStems).sort((left, right) => left.place - right.place)
}

/** Gives what weighs a set of stems: its share of all their weight, by tables for each 8 neighbouring stems. */
export function shareOf(weights: readonly number[]): (mask: number) => number {
  let total = 0
  for (const weight of weights) total += weight
  const [first, second, third, fourth] = [0, 8, 16, 24].map((from) => {
    const table = new Float64Array(256)
    for (let set = 1; set < 256; set += 1) {
      const highest = 31 - Math.clz32(set)
      table[set] = (table[set & ~(1 << highest)] as number) + (weights[from + highest] ?? 0) / (total || 1)
    }
    return table
  }) as [Float64Array, Float64Array, Float64Array, Float64Array]
  return (mask) =>
    (first[mask & 255] as number) +
    (second[(mask >>> 8) & 255] as number) +
    (third[(mask >>> 16) & 255] as number) +
    (fourth[mask >>> 24] as number)
}
