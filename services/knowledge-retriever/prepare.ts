import { type Token, tokenize } from '../platform/text.ts'
import {
  capitalisedNames,
  type EntityKey,
  inducedAliases,
  inducedTitle,
  type TitleName,
  titleNames,
} from './entities.ts'
import { findNames, type NamesByWord, namesByWord } from './names-in-text.ts'
import { cutIntoPassages } from './passages.ts'

/** A document as it is kept: well-formed text, an id that is never empty. */
export interface KnownDocument {
  readonly id: string
  readonly title: string
  readonly text: string
  readonly source: string
  /** The names that a model has found in it, as keys; absent when none has looked. */
  readonly names?: readonly EntityKey[]
}

/** What a document comes to: all that can be worked out without the graph. */
export interface PreparedDocument {
  readonly document: KnownDocument
  readonly title: PreparedText
  readonly titleNames: readonly TitleName[]
  readonly passages: readonly PreparedPassage[]
}

export interface PreparedPassage {
  readonly id: string
  readonly offset: number
  readonly text: string
  readonly content: PreparedText
  /** The names in it: those that capital letters show, and those that a model has found. */
  readonly spans: readonly EntityKey[]
}

/**
 * The words of a text, and for each 1 if it is capitalised, 2 if it begins a sentence, 3 if both. A word with which a name
 * begins that a model has found counts as capitalised: names are looked for where capital letters are.
 */
export interface PreparedText {
  readonly words: readonly string[]
  readonly marks: Uint8Array
}

/** Cuts, folds and reads a document. Pure; this is the larger part of the work of storing it. */
export function prepareDocument(document: KnownDocument): PreparedDocument {
  const hasTitle = document.title.trim() !== ''
  const title = hasTitle ? document.title : inducedTitle(document.text)
  const names = [...titleNames(title)]
  for (const name of inducedAliases(title, document.text)) {
    if (!names.some(({ key }) => key === name.key)) names.push(name)
  }
  const told = namesByWord(document.names ?? [])
  const passages = cutIntoPassages(document.text).map((piece, index): PreparedPassage => {
    const text = document.text.slice(piece.offset, piece.offset + piece.length)
    const tokens = tokenize(text)
    const content = preparedText(tokens)
    const spans = capitalisedNames(text, tokens)
    for (const key of markNames(content, told)) spans.add(key)
    return { id: passageId(document, index), offset: piece.offset, text, content, spans: [...spans] }
  })
  const { id, text, source } = document
  // The graph keeps it: what models have made of it would lie in memory twice.
  const kept = { id, title: document.title, text, source }
  return { document: kept, title: preparedText(tokenize(title)), titleNames: names, passages }
}

/** A passage is known by its document and its place in it. */
export function passageId({ id }: KnownDocument, index: number): string {
  return `${id}#${index}`
}

/** Marks the words with which names begin as if they were capitalised, and gives the names. */
function markNames(content: PreparedText, names: NamesByWord): EntityKey[] {
  if (names.size === 0) return []
  return findNames(content, names).map(({ key, at }) => {
    content.marks[at] = (content.marks[at] as number) | 1
    return key
  })
}

/** The words of a text as names are looked for in them. */
export function preparedText(tokens: readonly Token[]): PreparedText {
  const marks = new Uint8Array(tokens.length)
  let sentence = -1
  tokens.forEach((token, index) => {
    marks[index] = (token.capital ? 1 : 0) | (token.sentence === sentence ? 0 : 2)
    sentence = token.sentence
  })
  return { words: tokens.map(({ word }) => word), marks }
}
