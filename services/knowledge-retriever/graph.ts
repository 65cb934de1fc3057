import type { EntityKey, TitleName } from './entities.ts'
import { EntityIndex, passageOf } from './entity-index.ts'
import { Gazetteer } from './gazetteer.ts'
import { findMentions } from './mentions.ts'
import { MergedNames } from './merged-names.ts'
import { type KnownDocument, type PreparedDocument, type PreparedText, passageId } from './prepare.ts'
import { type DocumentImage, packImage, unpackImage } from './snapshot.ts'
import {
  codeOf,
  isCapital,
  marksIn,
  noStem,
  ordinalOf,
  Vocabulary,
  type WordCodes,
  wordIn,
} from './vocabulary.ts'

/** A passage, which is a node of the graph. */
export interface PassageNode {
  /** Its place in the arrays of a query; reused after a deletion, so nothing may be ordered by it. */
  readonly ordinal: number
  /** `<document id>#<index>`. Ties are broken by it. */
  readonly id: string
  readonly document: KnownDocument
  readonly text: string
  readonly offset: number
  readonly words: WordCodes
  readonly titleWords: WordCodes
  /** Words that carry meaning, those of the title counted twice. */
  readonly length: number
  readonly titleNames: readonly TitleName[]
  /** The capitalised names of its text, known or not. */
  readonly spans: readonly EntityKey[]
  /** Its entities, three numbers each: the entity's, the kind of the edge, the sentences as bits. */
  mentions: Int32Array
}

/** Numbers that a mention takes in `PassageNode.mentions`. */
export const mentionSize = 3
const titleTermWeight = 2
const maxRaritiesKept = 10_000
/** A list of passages is gone through to spare looking into those of a list that is at most so many times shorter. */
const maxTimesLonger = 30
const noMentions = new Int32Array(0)

interface DocumentNode {
  readonly document: KnownDocument
  readonly passages: readonly PassageNode[]
}

/** What is to become of the graph in one step; nothing may be both removed and kept. */
export interface GraphChange {
  /** Ids of documents to be taken out. */
  readonly removed: readonly string[]
  /** Documents to be put in; their ids must not be in the graph, or be among the removed. */
  readonly added: readonly PreparedDocument[]
  /** Names that are to mean the same as another name: alias first. An alias that is merged already is merged anew. */
  readonly merged?: readonly (readonly [alias: EntityKey, name: EntityKey])[]
  /** Aliases that are to stand for themselves again. */
  readonly unmerged?: readonly EntityKey[]
}

/**
 * Passages and entities in memory, and the words of the passages. Every part of it is a function of the documents in it
 * (and of the merged names), whatever the order in which they came and went; so a deleted document leaves nothing behind.
 */
export class KnowledgeGraph {
  readonly vocabulary = new Vocabulary()
  readonly gazetteer = new Gazetteer(this.vocabulary)
  readonly entities = new EntityIndex()
  readonly #passages: (PassageNode | undefined)[] = []
  readonly #freeOrdinals: number[] = []
  readonly #documents = new Map<string, DocumentNode>()
  readonly #merged = new MergedNames()
  #passageCount = 0
  #totalLength = 0
  #rarities: number[] = []
  #raritiesFor = 0
  /** By ordinal, all 0 between uses. */
  #marks = new Uint8Array(0)

  /** Takes documents out and puts documents in, as one step. */
  apply(change: GraphChange): void {
    const turned = new Set<EntityKey>()
    for (const id of change.removed) this.#removeDocument(id, turned)
    const affected = new Set<PassageNode>()
    for (const alias of change.unmerged ?? []) this.#unmerge(alias, turned, affected)
    for (const [alias, name] of change.merged ?? []) this.#merge(alias, name, turned, affected)
    for (const prepared of change.added) {
      for (const passage of this.#addDocument(prepared, turned)) affected.add(passage)
    }
    // A name that has become known, or unknown again, may stand in passages that were there before.
    for (const key of turned) this.#addPassagesThatSay(key, affected)
    for (const passage of affected) this.#link(passage)
  }

  /** The passage at an ordinal that the graph has given out. */
  passage(ordinal: number): PassageNode {
    return this.#passages[ordinal] as PassageNode
  }

  /** The name that a name stands for: itself, or what it was merged into. */
  meaningOf(key: EntityKey): EntityKey {
    return this.#merged.meaningOf(key)
  }

  /** Mean of the passages' lengths; 0 when there is none. */
  get meanLength(): number {
    return this.#passageCount === 0 ? 0 : this.#totalLength / this.#passageCount
  }

  /** Rarity of what so many of the passages have: Robertson's idf, never below zero. */
  rarityOf(count: number): number {
    if (this.#raritiesFor !== this.#passageCount) {
      this.#rarities = []
      this.#raritiesFor = this.#passageCount
    }
    const known = this.#rarities[count]
    if (known !== undefined) return known
    const rarity = Math.log(1 + (this.#passageCount - count + 0.5) / (count + 0.5))
    if (count < maxRaritiesKept) this.#rarities[count] = rarity
    return rarity
  }

  get counts(): { documents: number; passages: number; entities: number; mentions: number } {
    return {
      documents: this.#documents.size,
      passages: this.#passageCount,
      entities: this.entities.count,
      mentions: this.entities.edgeCount,
    }
  }

  /** Passages with ordinals below this exist or have existed. */
  get capacity(): number {
    return this.#passages.length
  }

  passagesOf(documentId: string): number {
    return this.#documents.get(documentId)?.passages.length ?? 0
  }

  /** All that is in it as bytes, from which `load` makes an equal graph without reading a text again. */
  snapshot(): Uint8Array {
    const words = new Numbering()
    const names = new Numbering()
    const documents = Array.from(this.#documents.values(), (node) => this.#imageOf(node, words, names))
    return packImage({ words: words.all, names: names.all, documents, merged: this.#merged.all })
  }

  /** The graph that a snapshot was taken of. Errors: SnapshotError. */
  static load(bytes: Uint8Array): KnowledgeGraph {
    const graph = new KnowledgeGraph()
    const image = unpackImage(bytes)
    for (const [alias, name] of image.merged) graph.#merge(alias, name, new Set(), new Set())
    const words = image.words.map((word) => graph.vocabulary.take(word))
    for (const document of image.documents) graph.#restore(document, words, image.names)
    for (const word of words) graph.vocabulary.release(word)
    return graph
  }

  #imageOf({ document, passages }: DocumentNode, words: Numbering, names: Numbering): DocumentImage {
    const renumbered = (codes: WordCodes) =>
      codes.map((code) => codeOf(words.of(this.vocabulary.wordOf(wordIn(code))), marksIn(code)))
    const titleNames = passages[0]?.titleNames ?? []
    for (const { key } of titleNames) names.of(key)
    return {
      document,
      titleNames,
      titleWords: renumbered(passages[0]?.titleWords ?? new Int32Array(0)),
      passages: passages.map((passage) => ({
        offset: passage.offset,
        length: passage.text.length,
        words: renumbered(passage.words),
        spans: Int32Array.from(passage.spans, (span) => names.of(span)),
        mentions: passage.mentions.map((number, at) =>
          at % mentionSize === 0 ? names.of(this.entities.at(number).key) : number,
        ),
      })),
    }
  }

  #restore(
    { document, titleNames, titleWords, passages }: DocumentImage,
    wordIds: readonly number[],
    names: readonly EntityKey[],
  ): void {
    const turned = new Set<EntityKey>()
    const renumbered = (codes: WordCodes) =>
      codes.map((code) => codeOf(this.vocabulary.takeAgain(wordIds[wordIn(code)] as number), marksIn(code)))
    const nodes = passages.map(({ offset, length, words, spans, mentions }, index) => {
      const text = document.text.slice(offset, offset + length)
      const spanKeys = Array.from(spans, (name) => names[name] as EntityKey)
      const passage = { id: passageId(document, index), document, text, offset, titleNames, spans: spanKeys }
      const node = this.#addPassage(
        { ...passage, words: renumbered(words), titleWords: renumbered(titleWords) },
        turned,
      )
      node.mentions = mentions.map((number, at) =>
        at % mentionSize === 0
          ? this.entities.link(names[number] as EntityKey, node.ordinal, mentions[at + 1] as number)
          : number,
      )
      return node
    })
    this.#documents.set(document.id, { document, passages: nodes })
  }

  #addDocument(prepared: PreparedDocument, turned: Set<EntityKey>): PassageNode[] {
    const { document, titleNames } = prepared
    const passages = prepared.passages.map(({ id, offset, text, content, spans }) => {
      const words = this.#takeWords(content)
      const titleWords = this.#takeWords(prepared.title)
      return this.#addPassage({ id, document, text, offset, words, titleWords, titleNames, spans }, turned)
    })
    this.#documents.set(document.id, { document, passages })
    return passages
  }

  #addPassage(
    passage: Omit<PassageNode, 'ordinal' | 'length' | 'mentions'>,
    turned: Set<EntityKey>,
  ): PassageNode {
    const ordinal = this.#freeOrdinals.pop() ?? this.#passages.length
    let length = 0
    for (const [stem, count] of this.#stemCounts(passage.words, passage.titleWords)) {
      this.vocabulary.post(stem, ordinal, count)
      length += count
    }
    const node = { ...passage, ordinal, length, mentions: noMentions }
    this.#passages[ordinal] = node
    this.#passageCount += 1
    this.#totalLength += length
    this.#countNames(node, 1, turned)
    return node
  }

  #removeDocument(id: string, turned: Set<EntityKey>): void {
    for (const node of this.#documents.get(id)?.passages ?? []) {
      this.#unlink(node)
      this.#countNames(node, -1, turned)
      for (const stem of this.#stemCounts(node.words, node.titleWords).keys()) {
        this.vocabulary.unpost(stem, node.ordinal)
      }
      for (const code of node.words) this.vocabulary.release(wordIn(code))
      for (const code of node.titleWords) this.vocabulary.release(wordIn(code))
      this.#passages[node.ordinal] = undefined
      this.#freeOrdinals.push(node.ordinal)
      this.#passageCount -= 1
      this.#totalLength -= node.length
    }
    this.#documents.delete(id)
  }

  #takeWords({ words, marks }: PreparedText): WordCodes {
    const codes = new Int32Array(words.length)
    for (let at = 0; at < words.length; at += 1) {
      codes[at] = codeOf(this.vocabulary.take(words[at] as string), marks[at] as number)
    }
    return codes
  }

  #stemCounts(words: WordCodes, titleWords: WordCodes): Map<number, number> {
    const counts = new Map<number, number>()
    for (const code of words) this.#countStem(counts, code, 1)
    for (const code of titleWords) this.#countStem(counts, code, titleTermWeight)
    return counts
  }

  #countStem(counts: Map<number, number>, code: number, weight: number): void {
    const stem = this.vocabulary.stemOfWord(wordIn(code))
    if (stem !== noStem) counts.set(stem, (counts.get(stem) ?? 0) + weight)
  }

  #countNames(node: PassageNode, change: 1 | -1, turned: Set<EntityKey>): void {
    for (const { key } of node.titleNames) this.#countTitle(key, change, turned)
    for (const key of node.spans) this.#countName(key, 'spans', change, turned)
  }

  /** The words of a title's name need not be those of the passage, so the name holds them itself. */
  #countTitle(key: EntityKey, change: 1 | -1, turned: Set<EntityKey>): void {
    const words = key.split(' ')
    if (change > 0) for (const word of words) this.vocabulary.take(word)
    this.#countName(key, 'titles', change, turned)
    if (change < 0) for (const word of words) this.vocabulary.release(this.vocabulary.idOf(word) as number)
  }

  #countName(key: EntityKey, kind: 'titles' | 'spans', change: 1 | -1, turned: Set<EntityKey>): void {
    if (!this.gazetteer.count(key, kind, change)) return
    // Turned twice is as it was.
    if (!turned.delete(key)) turned.add(key)
  }

  #merge(alias: EntityKey, name: EntityKey, turned: Set<EntityKey>, affected: Set<PassageNode>): void {
    this.#unmerge(alias, turned, affected)
    this.#addPassagesOf(alias, affected)
    if (!this.#merged.merge(alias, name)) return
    for (const key of [alias, name]) this.#countTitle(key, 1, turned)
  }

  #unmerge(alias: EntityKey, turned: Set<EntityKey>, affected: Set<PassageNode>): void {
    const name = this.#merged.nameOf(alias)
    if (name === undefined) return
    this.#addPassagesOf(alias, affected)
    this.#merged.unmerge(alias)
    for (const key of [alias, name]) this.#countTitle(key, -1, turned)
  }

  #addPassagesOf(key: EntityKey, passages: Set<PassageNode>): void {
    for (const edge of this.entities.get(this.meaningOf(key))?.passages ?? []) {
      passages.add(this.passage(passageOf(edge)))
    }
  }

  /** Adds the passages in which a name stands: its words side by side in text or title, the first of them capitalised. */
  #addPassagesThatSay(key: EntityKey, passages: Set<PassageNode>): void {
    const ids: number[] = []
    const lists: (readonly number[])[] = []
    for (const word of key.split(' ')) {
      const id = this.vocabulary.idOf(word)
      if (id === undefined) return
      ids.push(id)
      const stem = this.vocabulary.stemOfWord(id)
      if (stem !== noStem) lists.push(this.vocabulary.postings(stem))
    }
    lists.sort((left, right) => left.length - right.length)
    for (const ordinal of this.#passagesInBoth(lists[0] ?? [], lists[1])) {
      const passage = this.passage(ordinal)
      if (says(passage.words, ids) || says(passage.titleWords, ids)) passages.add(passage)
    }
  }

  /** The passages that two stems have; the second is not looked at where that would take longer than it spares. */
  #passagesInBoth(rarest: readonly number[], next: readonly number[] | undefined): number[] {
    const ordinals = rarest.map(ordinalOf)
    if (next === undefined || next.length > rarest.length * maxTimesLonger) return ordinals
    if (this.#marks.length < this.capacity) this.#marks = new Uint8Array(this.capacity * 2)
    const marks = this.#marks
    for (const ordinal of ordinals) marks[ordinal] = 1
    const both = next.map(ordinalOf).filter((ordinal) => marks[ordinal] === 1)
    for (const ordinal of ordinals) marks[ordinal] = 0
    return both
  }

  /** Brings a passage's edges to what it now says: those that stay are not touched, as most do. */
  #link(passage: PassageNode): void {
    const found = findMentions(passage, this.gazetteer, (key) => this.meaningOf(key))
    const before = passage.mentions
    const mentions = new Int32Array(found.size * mentionSize)
    let at = 0
    for (let old = 0; old < before.length; old += mentionSize) {
      const number = before[old] as number
      const { key } = this.entities.at(number)
      const mention = found.get(key)
      if (mention === undefined || mention.kind !== before[old + 1]) {
        this.entities.unlink(number, passage.ordinal)
        continue
      }
      found.delete(key)
      mentions[at] = number
      mentions[at + 1] = mention.kind
      mentions[at + 2] = mention.sentences
      at += mentionSize
    }
    for (const [key, { kind, sentences }] of found) {
      mentions[at] = this.entities.link(key, passage.ordinal, kind)
      mentions[at + 1] = kind
      mentions[at + 2] = sentences
      at += mentionSize
    }
    passage.mentions = mentions
  }

  #unlink(passage: PassageNode): void {
    const { mentions } = passage
    for (let at = 0; at < mentions.length; at += mentionSize) {
      this.entities.unlink(mentions[at] as number, passage.ordinal)
    }
    passage.mentions = noMentions
  }
}

/** Numbers things in the order in which they are asked for. */
class Numbering {
  readonly #numbers = new Map<string, number>()

  of(thing: string): number {
    let number = this.#numbers.get(thing)
    if (number === undefined) {
      number = this.#numbers.size
      this.#numbers.set(thing, number)
    }
    return number
  }

  get all(): string[] {
    return [...this.#numbers.keys()]
  }
}

/** Whether the words stand side by side, the first of them capitalised: elsewhere the gazetteer does not look for them. */
function says(codes: WordCodes, ids: readonly number[]): boolean {
  const first = ids[0] as number
  for (let from = 0; from + ids.length <= codes.length; from += 1) {
    if (wordIn(codes[from] as number) !== first || !isCapital(codes[from] as number)) continue
    let length = 1
    while (length < ids.length && wordIn(codes[from + length] as number) === ids[length]) length += 1
    if (length === ids.length) return true
  }
  return false
}

/** Orders by id, in code unit order. */
export function byId(left: { readonly id: string }, right: { readonly id: string }): number {
  return left.id < right.id ? -1 : left.id > right.id ? 1 : 0
}
