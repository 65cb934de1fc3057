import { deserialize, serialize } from 'node:v8'
import type { EntityKey } from './entities.ts'
import type { EntityIndex } from './entity-index.ts'
import { type DocumentNode, type KnowledgeGraph, mentionSize, type PassageNode } from './graph.ts'
import type { KnownDocument } from './prepare.ts'
import { codeOf, marksIn, type Vocabulary, type WordCodes, wordIn } from './vocabulary.ts'

/** The snapshot cannot be read: cut, changed, or of another version. The graph has to be made from the documents anew. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError'
}

/** The graph was changed while its snapshot was being taken: what has come of it so far is of no use. */
export class GraphChangedError extends Error {
  override readonly name = 'GraphChangedError'
}

/** What a snapshot begins with. */
export interface SnapshotHead {
  readonly documents: number
  readonly merged: readonly (readonly [EntityKey, EntityKey])[]
}

/** Some of the documents. Words and names are numbered in the order of their first use, over all slices. */
export interface Slice {
  /** Those that no slice before has used. */
  readonly words: readonly string[]
  readonly names: readonly EntityKey[]
  readonly documents: Iterable<DocumentImage>
}

export interface DocumentImage {
  readonly document: KnownDocument
  readonly titleNames: readonly { readonly name: number; readonly weight: number }[]
  readonly titleWords: WordCodes
  readonly passages: readonly PassageImage[]
}

/** A passage as in the graph, but for the numbers of words and names. Its spans are there until the next slice is read. */
export interface PassageImage {
  readonly offset: number
  readonly length: number
  readonly words: WordCodes
  readonly spans: Int32Array
  readonly mentions: Int32Array
}

const format = 'nexus-graph-4'
/** A slice has about so many passages. */
const slicePassages = 128
const firstIntegers = 16_384

/** A slice is the lengths of three rows of integers, the rows, and this, as V8 writes it. */
interface SliceStrings {
  readonly words: readonly string[]
  readonly names: readonly string[]
  /** id, title, text, source of each document. */
  readonly texts: readonly string[]
}

const rows = 3

function packHead(head: SnapshotHead): Uint8Array {
  return serialize({ format, ...head })
}

/** Errors: SnapshotError. */
export function unpackHead(bytes: Uint8Array): SnapshotHead {
  const head = unpacked(bytes) as SnapshotHead & { format: string }
  if (head.format !== format) throw new SnapshotError('it is of another version')
  return head
}

/** The parts of a snapshot. `mustBeUnchanged` is asked before each: it throws when the graph is no longer as it was. */
export function* slicesOf(
  { vocabulary, entities }: Pick<KnowledgeGraph, 'vocabulary' | 'entities'>,
  documents: ReadonlyMap<string, DocumentNode>,
  merged: SnapshotHead['merged'],
  mustBeUnchanged: () => void,
): Generator<Uint8Array> {
  mustBeUnchanged()
  const writer = new SliceWriter(vocabulary, entities)
  yield packHead({ documents: documents.size, merged })
  mustBeUnchanged()
  for (const { document, passages } of documents.values()) {
    writer.add(document, passages)
    if (writer.passages < slicePassages) continue
    yield writer.take()
    mustBeUnchanged()
  }
  yield writer.take()
}

/** Writes slices of one graph, one after another. */
class SliceWriter {
  readonly #vocabulary: Vocabulary
  readonly #entities: EntityIndex
  /** The numbers of words and of names, plus one, by the graph's own; spans are no entities, so they have only a name. */
  readonly #wordNumbers: Int32Array
  readonly #entityNumbers: Int32Array
  readonly #nameNumbers = new Map<EntityKey, number>()
  #wordCount = 0
  #words: string[] = []
  #names: EntityKey[] = []
  #texts: string[] = []
  readonly #titleNames = new Integers()
  readonly #counts = new Integers()
  readonly #numbers = new Integers()
  #passages = 0

  constructor(vocabulary: Vocabulary, entities: EntityIndex) {
    this.#vocabulary = vocabulary
    this.#entities = entities
    this.#wordNumbers = new Int32Array(vocabulary.wordCapacity)
    this.#entityNumbers = new Int32Array(entities.capacity)
  }

  /** Passages in the slice that is being written. */
  get passages(): number {
    return this.#passages
  }

  add({ id, title, text, source }: KnownDocument, passages: readonly PassageNode[]): void {
    const titleNames = passages[0]?.titleNames ?? []
    const titleWords = passages[0]?.titleWords ?? []
    this.#texts.push(id, title, text, source)
    for (const { key, weight } of titleNames) {
      this.#titleNames.push(this.#numberOfName(key), Math.round(weight * 100))
    }
    this.#counts.push(titleNames.length, titleWords.length, passages.length)
    this.#addWords(titleWords)
    for (const { offset, text, words, spans, mentions } of passages) {
      this.#counts.push(offset, text.length, words.length, spans.length, mentions.length)
      this.#addWords(words)
      for (const span of spans) this.#numbers.push(this.#numberOfName(span))
      this.#addMentions(mentions)
    }
    this.#passages += Math.max(1, passages.length)
  }

  /** The slice of what was added; the next begins. */
  take(): Uint8Array {
    const strings: SliceStrings = { words: this.#words, names: this.#names, texts: this.#texts }
    const integers = [this.#titleNames.all, this.#counts.all, this.#numbers.all]
    const lengths = Int32Array.from(integers, (row) => row.length)
    const bytes = Buffer.concat([...[lengths, ...integers].map(bytesOf), serialize(strings)])
    this.#words = []
    this.#names = []
    this.#texts = []
    for (const integers of [this.#titleNames, this.#numbers, this.#counts]) integers.clear()
    this.#passages = 0
    return bytes
  }

  #addWords(codes: Iterable<number>): void {
    const numbers = this.#wordNumbers
    for (const code of codes) {
      const word = wordIn(code)
      if (numbers[word] === 0) {
        this.#words.push(this.#vocabulary.wordOf(word))
        this.#wordCount += 1
        numbers[word] = this.#wordCount
      }
      this.#numbers.push(codeOf((numbers[word] as number) - 1, marksIn(code)))
    }
  }

  #addMentions(mentions: Int32Array): void {
    const numbers = this.#entityNumbers
    for (let at = 0; at < mentions.length; at += mentionSize) {
      const entity = mentions[at] as number
      if (numbers[entity] === 0) numbers[entity] = this.#numberOfName(this.#entities.at(entity).key) + 1
      this.#numbers.push(
        (numbers[entity] as number) - 1,
        mentions[at + 1] as number,
        mentions[at + 2] as number,
      )
    }
  }

  #numberOfName(key: EntityKey): number {
    let number = this.#nameNumbers.get(key)
    if (number === undefined) {
      number = this.#nameNumbers.size
      this.#nameNumbers.set(key, number)
      this.#names.push(key)
    }
    return number
  }
}

/** Reads slices one after another, all of them in the same memory. */
export class SliceReader {
  #memory = new Int32Array(firstIntegers)

  /** What a slice gives is there until the next one is read; its documents come one by one, once. Errors: SnapshotError. */
  read(bytes: Uint8Array): Slice {
    const lengths = this.#integers(bytes, 0, rows)
    const [titleNames = 0, counts = 0, numbers = 0] = lengths
    if (Math.min(titleNames, counts, numbers) < 0)
      throw new SnapshotError('it cannot be read: a length is wrong')
    const total = titleNames + counts + numbers
    const all = this.#integers(bytes, rows, total)
    const strings = unpacked(bytes.subarray((rows + total) * Int32Array.BYTES_PER_ELEMENT)) as SliceStrings
    const integers = {
      titleNames: all.subarray(0, titleNames),
      counts: all.subarray(titleNames, titleNames + counts),
      numbers: all.subarray(titleNames + counts),
    }
    return { words: strings.words, names: strings.names, documents: documentsIn(strings.texts, integers) }
  }

  #integers(bytes: Uint8Array, from: number, count: number): Int32Array {
    const size = Int32Array.BYTES_PER_ELEMENT
    if ((from + count) * size > bytes.length) throw new SnapshotError('it cannot be read: it was cut')
    if (count > this.#memory.length) this.#memory = new Int32Array(count * 2)
    const integers = this.#memory.subarray(0, count)
    bytesOf(integers).set(bytes.subarray(from * size, (from + count) * size))
    return integers
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function unpacked(bytes: Uint8Array): unknown {
  try {
    return deserialize(bytes)
  } catch (error) {
    throw new SnapshotError(`it cannot be read: ${(error as Error).message}`, { cause: error })
  }
}

/** The integers of a slice. */
interface SliceIntegers {
  /** Name and weight in percent of each title name. */
  readonly titleNames: Int32Array
  /** For each document its counts, then those of its passages, in the order in which they are read. */
  readonly counts: Int32Array
  readonly numbers: Int32Array
}

function* documentsIn(
  texts: readonly string[],
  { titleNames, counts, numbers }: SliceIntegers,
): Generator<DocumentImage> {
  let [count, number, named] = [0, 0, 0]
  const next = () => counts[count++] as number
  const take = (length: number) => {
    number += length
    return numbers.subarray(number - length, number)
  }
  for (let at = 0; at < texts.length; at += 4) {
    const [id, title, text, source] = texts.slice(at, at + 4) as [string, string, string, string]
    const [nameCount, titleLength, passageCount] = [next(), next(), next()]
    const ofTitle = Array.from({ length: nameCount }, () => {
      named += 2
      return { name: titleNames[named - 2] as number, weight: (titleNames[named - 1] as number) / 100 }
    })
    const titleWords = take(titleLength)
    const passages = Array.from({ length: passageCount }, (): PassageImage => {
      const [offset, length, words, spans, mentions] = [next(), next(), next(), next(), next()]
      // What is kept of it is a copy: a part of the whole would change with it.
      return {
        offset,
        length,
        words: take(words).slice(),
        spans: take(spans),
        mentions: take(mentions).slice(),
      }
    })
    yield { document: { id, title, text, source }, titleNames: ofTitle, titleWords, passages }
  }
}

/** Integers in a row, in memory that is used again and again. */
class Integers {
  #array = new Int32Array(firstIntegers)
  #length = 0

  push(...integers: readonly number[]): void {
    for (const integer of integers) {
      if (this.#length === this.#array.length) this.#grow()
      this.#array[this.#length] = integer
      this.#length += 1
    }
  }

  /** Until the next change. */
  get all(): Int32Array {
    return this.#array.subarray(0, this.#length)
  }

  clear(): void {
    this.#length = 0
  }

  #grow(): void {
    const larger = new Int32Array(this.#array.length * 2)
    larger.set(this.#array)
    this.#array = larger
  }
}
