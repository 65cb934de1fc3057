import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type EntityKey, titleNames } from './entities.ts'
import { type KnownDocument, type PreparedDocument, prepareDocument } from './prepare.ts'
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
const namesDigestLength = 16

/** Makes the text well-formed (a lone surrogate becomes U+FFFD), so that what is hashed, stored and answered is one text. */
export function identify(offered: OfferedDocument): StoredDocument {
  const title = offered.title.toWellFormed()
  const text = offered.text.toWellFormed()
  const source = offered.source.toWellFormed()
  return { id: idOf(offered), title, text, source, hash: sha256(JSON.stringify([title, text, source])) }
}

/**
 * The document with the names that a model has found in it. Its hash tells them too, so that those who share a store take
 * them over; the names of a text come after the hash of the text.
 */
export function withNames(document: StoredDocument, names: readonly EntityKey[]): StoredDocument {
  const digest = sha256(JSON.stringify(names)).slice(0, namesDigestLength)
  return { ...document, names, hash: `${document.hash.slice(0, digestLength)}+${digest}` }
}

/** Whether two hashes are of the same text, whatever names were found in it. */
export function saysTheSame(hash: string, other: string): boolean {
  return hash.slice(0, digestLength) === other.slice(0, digestLength)
}

/** Whether a model has looked for names in what this is the hash of. */
export function hasNames(hash: string): boolean {
  return hash.length > digestLength
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
  const { id, title, text, source, hash, names: told } = stored
  const fromTitle = titleNames(title).map(({ key }) => key)
  const passages = prepared.passages.map((passage) => ({
    id: passage.id,
    text: passage.text,
    offset: passage.offset,
    names: [...new Set([...fromTitle, ...passage.spans])],
  }))
  return { id, title, text, source, hash, ...(told && { names: told }), passages }
}

/** In hex. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
