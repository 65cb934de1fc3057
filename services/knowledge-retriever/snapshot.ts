import { createHash } from 'node:crypto'
import { deserialize, serialize } from 'node:v8'
import type { EntityKey, TitleName } from './entities.ts'
import type { KnownDocument } from './prepare.ts'
import type { WordCodes } from './vocabulary.ts'

/** The snapshot cannot be read: cut, changed, or of another version. The graph has to be made from the documents anew. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError'
}

/** All of a graph that is worth keeping; the rest follows from it without a text being read again. */
export interface GraphImage {
  /** The words that word codes and the names that numbers stand for. */
  readonly words: readonly string[]
  readonly names: readonly EntityKey[]
  readonly documents: readonly DocumentImage[]
  readonly merged: readonly (readonly [EntityKey, EntityKey])[]
}

export interface DocumentImage {
  readonly document: KnownDocument
  readonly titleNames: readonly TitleName[]
  readonly titleWords: WordCodes
  readonly passages: readonly PassageImage[]
}

/** A passage; `words` as in the graph but numbered by `GraphImage.words`, entities and spans numbered by `names`. */
export interface PassageImage {
  readonly offset: number
  readonly length: number
  readonly words: WordCodes
  readonly spans: Int32Array
  readonly mentions: Int32Array
}

const magic = 'nexus-graph-2\n'
const hashBytes = 32

interface Packed {
  readonly words: readonly string[]
  readonly names: readonly string[]
  readonly merged: readonly (readonly [string, string])[]
  /** id, title, text, source of each document. */
  readonly texts: readonly string[]
  /** Name and weight in percent of each title name. */
  readonly titleNames: Int32Array
  readonly numbers: Int32Array
  /** For each document its counts, then those of its passages, in the order in which they are read. */
  readonly counts: Int32Array
}

/** Writes an image as bytes with a checksum. */
export function packImage(image: GraphImage): Uint8Array {
  const texts: string[] = []
  const counts: number[] = []
  const parts: Int32Array[] = []
  const titleNames: number[] = []
  const nameNumbers = new Map(image.names.map((name, number) => [name, number]))
  for (const { document, titleNames: names, titleWords, passages } of image.documents) {
    texts.push(document.id, document.title, document.text, document.source)
    for (const { key, weight } of names) {
      titleNames.push(nameNumbers.get(key) as number, Math.round(weight * 100))
    }
    counts.push(names.length, titleWords.length, passages.length)
    parts.push(titleWords)
    for (const { offset, length, words, spans, mentions } of passages) {
      counts.push(offset, length, words.length, spans.length, mentions.length)
      parts.push(words, spans, mentions)
    }
  }
  const packed: Packed = {
    words: image.words,
    names: image.names,
    merged: image.merged,
    texts,
    titleNames: Int32Array.from(titleNames),
    numbers: joined(parts),
    counts: Int32Array.from(counts),
  }
  const body = serialize(packed)
  return Buffer.concat([Buffer.from(magic), createHash('sha256').update(body).digest(), body])
}

/** Reads what `packImage` has written. Errors: SnapshotError. */
export function unpackImage(bytes: Uint8Array): GraphImage {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (buffer.toString('latin1', 0, magic.length) !== magic)
    throw new SnapshotError('it is of another version')
  const body = buffer.subarray(magic.length + hashBytes)
  const hash = createHash('sha256').update(body).digest()
  if (!hash.equals(buffer.subarray(magic.length, magic.length + hashBytes))) {
    throw new SnapshotError('its checksum does not fit: it was cut or changed')
  }
  const packed = deserialize(body) as Packed
  return { words: packed.words, names: packed.names, merged: packed.merged, documents: readDocuments(packed) }
}

function readDocuments({ names, texts, titleNames, numbers, counts }: Packed): DocumentImage[] {
  const documents: DocumentImage[] = []
  let count = 0
  let number = 0
  let named = 0
  const next = () => counts[count++] as number
  const take = (length: number) => {
    number += length
    // A copy: a part of the whole would keep the whole in memory.
    return numbers.slice(number - length, number)
  }
  for (let text = 0; text < texts.length; text += 4) {
    const [id, title, body, source] = texts.slice(text, text + 4) as [string, string, string, string]
    const [nameCount, titleLength, passageCount] = [next(), next(), next()]
    const ofTitle = Array.from({ length: nameCount }, (): TitleName => {
      named += 2
      return {
        key: names[titleNames[named - 2] as number] as string,
        weight: (titleNames[named - 1] as number) / 100,
      }
    })
    const titleWords = take(titleLength)
    const passages = Array.from({ length: passageCount }, (): PassageImage => {
      const [offset, length, words, spans, mentions] = [next(), next(), next(), next(), next()]
      return { offset, length, words: take(words), spans: take(spans), mentions: take(mentions) }
    })
    documents.push({ document: { id, title, text: body, source }, titleNames: ofTitle, titleWords, passages })
  }
  return documents
}

function joined(parts: readonly Int32Array[]): Int32Array {
  let length = 0
  for (const part of parts) length += part.length
  const whole = new Int32Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
