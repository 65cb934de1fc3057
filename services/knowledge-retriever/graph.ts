import { setImmediate as nextTurn } from 'node:timers/promises'
import type { EntityKey, TitleName } from './entities.ts'
import { EntityIndex, passageOf } from './entity-index.ts'
import { Gazetteer } from './gazetteer.ts'
import { findMentions } from './mentions.ts'
import { MergedNames } from './merged-names.ts'
import { NameSearch } from './name-search.ts'
import { type KnownDocument, type PreparedDocument, type PreparedText, passageId } from './prepare.ts'
import { Scratch } from './scratch.ts'
import {
  type DocumentImage,
  GraphChangedError,
  type Slice,
  SliceReader,
  SnapshotError,
  slicesOf,
  unpackHead,
} from './snapshot.ts'
import { codeOf, marksIn, noStem, Vocabulary, type WordCodes, wordIn } from './vocabulary.ts'

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
/** So often does a word of the title count. */
export const titleTermWeight = 2
const maxRaritiesKept = 10_000
const firstLengths = 1_024
const noMentions = new Int32Array(0)

/** A document with its passages. */
export interface DocumentNode {
  readonly document: KnownDocument
  readonly passages: readonly PassageNode[]
}

/** What is known of a snapshot's numbers while it is being loaded. */
interface Restored {
  /** The graph's numbers of the words. */
  readonly words: number[]
  readonly names: EntityKey[]
  /** The graph's numbers of the entities, by the number of the name, as far as they have come up. */
  readonly entities: number[]
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
  /** For the questions asked of it. */
  readonly scratch = new Scratch()
  readonly #passages: (PassageNode | undefined)[] = []
  readonly #freeOrdinals: number[] = []
  readonly #documents = new Map<string, DocumentNode>()
  readonly #merged = new MergedNames()
  #lengths: Int32Array = new Int32Array(firstLengths)
  #passageCount = 0
  #totalLength = 0
  #rarities: number[] = []
  #raritiesFor = 0
  /** Advances with each change. */
  #version = 0
  readonly #names = new NameSearch(this)

  /** Takes documents out and puts documents in, as one step. */
  apply(change: GraphChange): void {
    this.#version += 1
    const turned = new Set<EntityKey>()
    for (const id of change.removed) this.#removeDocument(id, turned)
    const affected = new Set<PassageNode>()
    for (const alias of change.unmerged ?? []) this.#unmerge(alias, turned, affected)
    for (const [alias, name] of change.merged ?? []) this.#merge(alias, name, turned, affected)
    for (const prepared of change.added) {
      for (const passage of this.#addDocument(prepared, turned)) affected.add(passage)
    }
    // A name that has become known, or unknown again, may stand in passages that were there before.
    for (const key of turned) for (const passage of this.#names.passagesThatSay(key)) affected.add(passage)
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

  /** The lengths of the passages by ordinal, side by side for those who need many. */
  get lengths(): Int32Array {
    return this.#lengths
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

  /**
   * All that is in it, in parts from which `load` makes an equal graph without reading a text again. Each part takes
   * milliseconds; between them there may be any time, but no change: the next part fails then with GraphChangedError.
   */
  snapshot(): Iterable<Uint8Array> {
    // Now, not when the first part is asked for: it is a snapshot of this moment.
    const version = this.#version
    return slicesOf(this, this.#documents, this.#merged.all, () => {
      if (this.#version !== version) throw new GraphChangedError('it was changed meanwhile')
    })
  }

  /** The graph that a snapshot was taken of; others get a word in while it is being made. Errors: SnapshotError. */
  static async load(parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<KnowledgeGraph> {
    const graph = new KnowledgeGraph()
    const restored: Restored = { words: [], names: [], entities: [] }
    const reader = new SliceReader()
    let documents: number | undefined
    for await (const part of parts) {
      if (documents === undefined) {
        const head = unpackHead(part)
        documents = head.documents
        for (const [alias, name] of head.merged) graph.#merge(alias, name, new Set(), new Set())
      } else graph.#restoreSlice(reader.read(part), restored)
      await nextTurn()
    }
    if (graph.#documents.size !== documents) throw new SnapshotError('a part of it is missing')
    for (const word of restored.words) graph.vocabulary.release(word)
    return graph
  }

  #restoreSlice({ words, names, documents }: Slice, restored: Restored): void {
    // Used once for the sake of the slices to come, until all are read.
    for (const word of words) restored.words.push(this.vocabulary.take(word))
    for (const name of names) restored.names.push(name)
    for (const document of documents) this.#restore(document, restored)
  }

  #restore(image: DocumentImage, { words, names, entities }: Restored): void {
    const { document } = image
    // In place: millions of arrays that are thrown away at once would keep the collector of garbage busy.
    const renumber = (codes: WordCodes) => {
      for (let at = 0; at < codes.length; at += 1) {
        const code = codes[at] as number
        codes[at] = codeOf(this.vocabulary.takeAgain(words[wordIn(code)] as number), marksIn(code))
      }
      return codes
    }
    const titleNames = image.titleNames.map(({ name, weight }) => ({ key: names[name] as EntityKey, weight }))
    const passages = image.passages.map(({ offset, length, spans, mentions, ...read }, index) => {
      const node = this.#addPassage(
        {
          id: passageId(document, index),
          document,
          text: document.text.slice(offset, offset + length),
          offset,
          words: renumber(read.words),
          titleWords: renumber(image.titleWords.slice()),
          titleNames,
          spans: Array.from(spans, (name) => names[name] as EntityKey),
        },
        new Set(),
      )
      for (let at = 0; at < mentions.length; at += mentionSize) {
        const name = mentions[at] as number
        const kind = mentions[at + 1] as number
        entities[name] = this.entities.link(entities[name] ?? (names[name] as EntityKey), node.ordinal, kind)
        mentions[at] = entities[name]
      }
      node.mentions = mentions
      return node
    })
    this.#documents.set(document.id, { document, passages })
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
    if (ordinal >= this.#lengths.length) this.#lengths = grown(this.#lengths)
    this.#lengths[ordinal] = length
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

function grown(numbers: Int32Array): Int32Array {
  const twice = new Int32Array(numbers.length * 2)
  twice.set(numbers)
  return twice
}
