import { isStopWord, stemsOf, type Token, tokenize } from '../platform/text.ts'
import { type EntityKey, maxNameWords } from './entities.ts'
import type { Gazetteer } from './gazetteer.ts'

/** A question as the graph sees it. */
export interface ReadQuestion {
  /** Its stems, each once, in order. */
  readonly stems: readonly string[]
  /** The known names in it, longest first, each once. */
  readonly entities: readonly EntityKey[]
}

/** Longer questions are cut: the rest of the words would hardly move the ranking. */
const maxQuestionWords = 256

/** Folds a question and finds the known names in it. */
export function readQuestion(question: string, gazetteer: Gazetteer): ReadQuestion {
  const tokens = tokenize(question).slice(0, maxQuestionWords)
  return { stems: [...new Set(stemsOf(tokens))], entities: namesIn(tokens, gazetteer) }
}

/** Known names, the longest first; a word belongs to one name only. */
function namesIn(tokens: readonly Token[], gazetteer: Gazetteer): EntityKey[] {
  const taken = new Array<boolean>(tokens.length).fill(false)
  const names = new Set<EntityKey>()
  for (let words = Math.min(maxNameWords, tokens.length); words >= 1; words -= 1) {
    for (let from = 0; from + words <= tokens.length; from += 1) {
      if (taken.slice(from, from + words).includes(true)) continue
      const span = tokens.slice(from, from + words)
      if (!mayBeName(tokens, span, from, gazetteer)) continue
      names.add(keyOf(span))
      taken.fill(true, from, from + words)
    }
  }
  return [...names]
}

/** A name has a capital; a single word that begins a sentence has one in any case, so it must be a title. */
function mayBeName(
  all: readonly Token[],
  span: readonly Token[],
  from: number,
  gazetteer: Gazetteer,
): boolean {
  const first = span[0]
  if (first === undefined || !span.some((token) => token.capital)) return false
  const key = keyOf(span)
  if (!gazetteer.knows(key)) return false
  if (span.length > 1) return true
  if (isStopWord(first.word)) return false
  const beginsSentence = all[from - 1]?.sentence !== first.sentence
  return !beginsSentence || gazetteer.isTitle(key)
}

function keyOf(tokens: readonly Token[]): EntityKey {
  return tokens.map(({ word }) => word).join(' ')
}
