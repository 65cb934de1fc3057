import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { titleNames } from './entities.ts'
import { type KnownDocument, type PreparedDocument, prepareDocument } from './prepare.ts'
import type { Reading } from './readings.ts'
import type { StoredDocument, WrittenDocument } from './store.ts'

/** A document as it is offered; an empty id stands for the hash of its text. */
export type OfferedDocument = KnownDocument

/** A batch has two documents under one id; the message names the second. */
export class RepeatedIdError extends Error {
  override readonly name = 'RepeatedIdError'
}

/** Nobody else gets a word in for longer than this while documents are being read. */
const maxBusyMs = 10

/** The id under which an offered document will be known. */
export function idOf(offered: OfferedDocument): string {
  return offered.id === '' ? sha256(offered.text.toWellFormed()) : offered.id.toWellFormed()
}

/** Hex digits of a SHA-256. */
const digestLength = 64
const shortDigestLength = 16

/** Makes the text well-formed (a lone surrogate becomes U+FFFD), so that what is hashed, stored and answered is one text. */
export function identify(offered: OfferedDocument): StoredDocument {
  const title = offered.title.toWellFormed()
  const text = offered.text.toWellFormed()
  const source = offered.source.toWellFormed()
  return { id: idOf(offered), title, text, source, hash: sha256(JSON.stringify([title, text, source])) }
}

/**
 * The document with what models have made of it. Its hash tells that too, so that those who share a store take it over: the
 * hash of the text, then `+n` and a digest of the names, then `+v` and one of the vectors.
 */
export function withReading(document: StoredDocument, { names, vectors }: Reading): StoredDocument {
  const marks = [
    names === undefined ? '' : `+n${shortDigest(JSON.stringify(names))}`,
    vectors === undefined ? '' : `+v${shortDigest(vectors)}`,
  ]
  const hash = document.hash.slice(0, digestLength) + marks.join('')
  return { ...document, ...(names && { names }), ...(vectors && { vectors }), hash }
}

function shortDigest(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex').slice(0, shortDigestLength)
}

/** Whether what is known by a hash is the same text with at least what models have made of it by the other. */
export function covers(known: string, hash: string): boolean {
  const [text = '', ...made] = hash.split('+')
  const [knownText, ...knownMade] = known.split('+')
  return text === knownText && made.every((mark) => knownMade.includes(mark))
}

/** What models have made of that which this is the hash of. */
export function readingIn(hash: string): { readonly names: boolean; readonly vectors: boolean } {
  return { names: hash.includes('+n'), vectors: hash.includes('+v') }
}

/**
 * The documents of a batch by id. The same text twice without an id is one document; any other id that comes twice says
 * two things at once. Errors: RepeatedIdError.
 */
export function batchById(
  offered: readonly OfferedDocument[],
  documents: readonly StoredDocument[],
): Map<string, StoredDocument> {
  const byId = new Map<string, StoredDocument>()
  documents.forEach((document, index) => {
    const earlier = byId.get(document.id)
    if (earlier !== undefined && (earlier.hash !== document.hash || offered[index]?.id !== '')) {
      throw new RepeatedIdError(
        `documents[${index}].id: ${JSON.stringify(document.id)} stands in the batch before`,
      )
    }
    byId.set(document.id, document)
  })
  return byId
}

/** Reads documents for the graph, with a break now and then so that questions are answered meanwhile. */
export async function prepareAll(documents: readonly KnownDocument[]): Promise<PreparedDocument[]> {
  const prepared: PreparedDocument[] = []
  let sinceMs = performance.now()
  for (const document of documents) {
    prepared.push(prepareDocument(document))
    if (performance.now() - sinceMs < maxBusyMs) continue
    await nextTurn()
    sinceMs = performance.now()
  }
  return prepared
}

/** What a store writes of a document: its passages are as the graph has them. */
export function writtenFrom(stored: StoredDocument, prepared: PreparedDocument): WrittenDocument {
  const { id, title, text, source, hash, names: told, vectors } = stored
  const fromTitle = titleNames(title).map(({ key }) => key)
  const passages = prepared.passages.map((passage) => ({
    id: passage.id,
    text: passage.text,
    offset: passage.offset,
    names: [...new Set([...fromTitle, ...passage.spans])],
  }))
  return {
    id,
    title,
    text,
    source,
    hash,
    ...(told && { names: told }),
    ...(vectors && { vectors }),
    passages,
  }
}

/** In hex. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
