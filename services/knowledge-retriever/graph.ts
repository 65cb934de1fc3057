import { isStopWord, stemOf, stemsOf, type Token, tokenize } from '../platform/text.ts'
import { capitalisedNames, type EntityKey, inducedTitle, type TitleName, titleNames } from './entities.ts'
import { Gazetteer } from './gazetteer.ts'
import { cutIntoPassages } from './passages.ts'

/** A document as it is kept: well-formed text, an id that is never empty. */
export interface KnownDocument {
  readonly id: string
  readonly title: string
  readonly text: string
  readonly source: string
}

/** A passage, which is a node of the graph. */
export interface PassageNode {
  /** Its place in the arrays of a query; reused after a deletion, so nothing may be ordered by it. */
  readonly ordinal: number
  /** `<document id>#<index>`. Ties are broken by it. */
  readonly id: string
  readonly document: KnownDocument
  readonly text: string
  readonly offset: number
  /** Stem → how often it occurs, the title counted twice. */
  readonly stems: ReadonlyMap<string, number>
  /** Sum of the counts of `stems`. */
  readonly length: number
  readonly titleStems: ReadonlySet<string>
  readonly titleNames: readonly TitleName[]
  /** The capitalised names of its text, known or not. */
  readonly spans: ReadonlySet<EntityKey>
  /** Its entities, by key in code unit order. */
  mentions: readonly Mention[]
}

/** An edge of the graph. */
export interface Mention {
  readonly entity: EntityNode
  /** How surely the passage is about it: 1 for a full name or a title. */
  readonly weight: number
  /** The name as this passage writes it. */
  readonly surface: string
}

/** An entity, which is a node of the graph. */
export interface EntityNode {
  readonly key: EntityKey
  /** Passages that mention it, by ordinal, with the edge's weight. */
  readonly passages: Map<number, number>
  /** Passages whose title or alias it is, by ordinal, with the name's weight. */
  readonly titled: Map<number, number>
  /** Passages in the order of their ids; undefined after a change, until it is asked for. */
  ordered: readonly PassageNode[] | undefined
}

const titleTermWeight = 2

/** What a document comes to: all that can be worked out without the graph. */
export interface PreparedDocument {
  readonly document: KnownDocument
  readonly passages: readonly PreparedPassage[]
}

type PreparedPassage = Omit<PassageNode, 'ordinal' | 'mentions' | 'document'>

/** Cuts, folds and reads a document. Pure; this is the larger part of the work of storing it. */
export function prepareDocument(document: KnownDocument): PreparedDocument {
  const title = document.title.trim() === '' ? inducedTitle(document.text) : document.title
  const titleStems = stemsOf(tokenize(document.title))
  const names = titleNames(title)
  const passages = cutIntoPassages(document.text).map((piece, index) => {
    const text = document.text.slice(piece.offset, piece.offset + piece.length)
    const tokens = tokenize(text)
    const stems = new Map<string, number>()
    for (const stem of stemsOf(tokens)) stems.set(stem, (stems.get(stem) ?? 0) + 1)
    for (const stem of titleStems) stems.set(stem, (stems.get(stem) ?? 0) + titleTermWeight)
    let length = 0
    for (const count of stems.values()) length += count
    const id = `${document.id}#${index}`
    const spans = capitalisedNames(text, tokens)
    return {
      id,
      text,
      offset: piece.offset,
      stems,
      length,
      titleStems: new Set(titleStems),
      titleNames: names,
      spans,
    }
  })
  return { document, passages }
}

/**
 * Passages and entities in memory, and the words of the passages. Every part of it is a function of the documents in it,
 * whatever the order in which they came and went; so a deleted document leaves nothing behind.
 */
export class KnowledgeGraph {
  readonly gazetteer = new Gazetteer()
  readonly #passages: (PassageNode | undefined)[] = []
  readonly #freeOrdinals: number[] = []
  readonly #byDocument = new Map<string, readonly PassageNode[]>()
  readonly #postings = new Map<string, Map<number, number>>()
  readonly #entities = new Map<EntityKey, EntityNode>()
  #passageCount = 0
  #mentionCount = 0
  #totalLength = 0

  /** Takes documents out and puts documents in, as one step. Ids that are put in must not be in it, or be taken out. */
  apply(change: { removed: readonly string[]; added: readonly PreparedDocument[] }): void {
    const turned = new Set<EntityKey>()
    for (const id of change.removed) this.#removeDocument(id, turned)
    const affected = new Set<PassageNode>()
    for (const prepared of change.added) {
      for (const passage of this.#addDocument(prepared, turned)) affected.add(passage)
    }
    // A name that has become known, or unknown again, may stand in passages that were there before.
    for (const key of turned) for (const passage of this.#passagesWithWords(key)) affected.add(passage)
    for (const passage of affected) this.#link(passage)
  }

  /** The passage at an ordinal that the graph has given out. */
  passage(ordinal: number): PassageNode | undefined {
    return this.#passages[ordinal]
  }

  entity(key: EntityKey): EntityNode | undefined {
    return this.#entities.get(key)
  }

  /** Passages that have a stem, by ordinal, with the stem's count. */
  posting(stem: string): ReadonlyMap<number, number> | undefined {
    return this.#postings.get(stem)
  }

  /** Mean of the passages' lengths; 0 when there is none. */
  get meanLength(): number {
    return this.#passageCount === 0 ? 0 : this.#totalLength / this.#passageCount
  }

  get counts(): { documents: number; passages: number; entities: number; mentions: number } {
    const documents = this.#byDocument.size
    return {
      documents,
      passages: this.#passageCount,
      entities: this.#entities.size,
      mentions: this.#mentionCount,
    }
  }

  /** Passages with ordinals below this exist or have existed. */
  get capacity(): number {
    return this.#passages.length
  }

  passagesOf(documentId: string): number {
    return this.#byDocument.get(documentId)?.length ?? 0
  }

  /** The passages of an entity in the order of their ids. */
  orderedPassages(entity: EntityNode): readonly PassageNode[] {
    entity.ordered ??= [...entity.passages.keys()]
      .map((ordinal) => this.#passages[ordinal] as PassageNode)
      .sort(byId)
    return entity.ordered
  }

  #addDocument(prepared: PreparedDocument, turned: Set<EntityKey>): PassageNode[] {
    const passages = prepared.passages.map((passage): PassageNode => {
      const ordinal = this.#freeOrdinals.pop() ?? this.#passages.length
      const node = { ...passage, document: prepared.document, ordinal, mentions: [] }
      this.#passages[ordinal] = node
      this.#passageCount += 1
      this.#totalLength += node.length
      for (const [stem, count] of node.stems) this.#post(stem, ordinal, count)
      this.#countNames(node, 1, turned)
      return node
    })
    this.#byDocument.set(prepared.document.id, passages)
    return passages
  }

  #removeDocument(id: string, turned: Set<EntityKey>): void {
    for (const node of this.#byDocument.get(id) ?? []) {
      this.#unlink(node)
      this.#countNames(node, -1, turned)
      for (const stem of node.stems.keys()) this.#unpost(stem, node.ordinal)
      this.#passages[node.ordinal] = undefined
      this.#freeOrdinals.push(node.ordinal)
      this.#passageCount -= 1
      this.#totalLength -= node.length
    }
    this.#byDocument.delete(id)
  }

  #countNames(node: PassageNode, change: 1 | -1, turned: Set<EntityKey>): void {
    const note = (key: EntityKey, kind: 'titles' | 'spans') => {
      if (!this.gazetteer.count(key, kind, change)) return
      // Turned twice is as it was.
      if (!turned.delete(key)) turned.add(key)
    }
    for (const { key } of node.titleNames) note(key, 'titles')
    for (const key of node.spans) note(key, 'spans')
  }

  #post(stem: string, ordinal: number, count: number): void {
    let posting = this.#postings.get(stem)
    if (posting === undefined) {
      posting = new Map()
      this.#postings.set(stem, posting)
    }
    posting.set(ordinal, count)
  }

  #unpost(stem: string, ordinal: number): void {
    const posting = this.#postings.get(stem)
    posting?.delete(ordinal)
    if (posting?.size === 0) this.#postings.delete(stem)
  }

  /** Passages that have every word of a name, in whatever order: all that can contain it, and some more. */
  #passagesWithWords(key: EntityKey): PassageNode[] {
    const postings: Map<number, number>[] = []
    for (const word of key.split(' ')) {
      if (isStopWord(word)) continue
      const posting = this.#postings.get(stemOf(word))
      if (posting === undefined) return []
      postings.push(posting)
    }
    postings.sort((a, b) => a.size - b.size)
    const [rarest, ...others] = postings
    const found: PassageNode[] = []
    for (const ordinal of rarest?.keys() ?? []) {
      const passage = this.#passages[ordinal]
      if (passage && others.every((posting) => posting.has(ordinal))) found.push(passage)
    }
    return found
  }

  #link(passage: PassageNode): void {
    this.#unlink(passage)
    const found = findMentions(passage, this.gazetteer)
    const keys = [...found.keys()].sort()
    passage.mentions = keys.map((key) => {
      const { weight, surface, titleWeight } = found.get(key) as FoundMention
      const entity = this.#entityOf(key)
      entity.passages.set(passage.ordinal, weight)
      if (titleWeight > 0) entity.titled.set(passage.ordinal, titleWeight)
      entity.ordered = undefined
      return { entity, weight, surface }
    })
    this.#mentionCount += passage.mentions.length
  }

  #unlink(passage: PassageNode): void {
    for (const { entity } of passage.mentions) {
      entity.passages.delete(passage.ordinal)
      entity.titled.delete(passage.ordinal)
      entity.ordered = undefined
      if (entity.passages.size === 0) this.#entities.delete(entity.key)
    }
    this.#mentionCount -= passage.mentions.length
    passage.mentions = []
  }

  #entityOf(key: EntityKey): EntityNode {
    let entity = this.#entities.get(key)
    if (entity === undefined) {
      entity = { key, passages: new Map(), titled: new Map(), ordered: undefined }
      this.#entities.set(key, entity)
    }
    return entity
  }
}

interface FoundMention {
  readonly weight: number
  readonly surface: string
  readonly titleWeight: number
}

/** The entities of a passage: the known names of its text and of its title, and those that its title gives. */
function findMentions(passage: PassageNode, gazetteer: Gazetteer): Map<EntityKey, FoundMention> {
  const found = new Map<EntityKey, FoundMention>()
  const note = (text: string, tokens: readonly Token[]) => {
    for (const { key, from, to, weight } of gazetteer.matches(tokens)) {
      const known = found.get(key)
      if (known !== undefined && known.weight >= weight) continue
      found.set(key, { weight, surface: surfaceOf(text, tokens, from, to), titleWeight: 0 })
    }
  }
  note(passage.text, tokenize(passage.text))
  note(passage.document.title, tokenize(passage.document.title))
  for (const { key, weight } of passage.titleNames) {
    found.set(key, { weight: 1, surface: found.get(key)?.surface ?? key, titleWeight: weight })
  }
  return found
}

function surfaceOf(text: string, tokens: readonly Token[], from: number, to: number): string {
  return text.slice(tokens[from]?.start, tokens[to - 1]?.end).replace(/\s+/g, ' ')
}

/** Orders by id, in code unit order. */
export function byId(left: { readonly id: string }, right: { readonly id: string }): number {
  return left.id < right.id ? -1 : left.id > right.id ? 1 : 0
}
