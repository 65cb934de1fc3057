import { isStopWord, stemOf, type Token, tokenize } from '../platform/text.ts'
import { type EntityKey, maxNameWords } from './entities.ts'
import type { Gazetteer } from './gazetteer.ts'

/** A question as the graph sees it. */
export interface ReadQuestion {
  /** Its words in order, stop words too, and which of them are capitalised. */
  readonly words: readonly string[]
  readonly capitals: readonly boolean[]
  /** Its stems, each once, in order. */
  readonly stems: readonly string[]
  /** The known names in it, longest first, each once. */
  readonly entities: readonly EntityKey[]
  /** Stems that stand side by side, stop words left out, each pair once. */
  readonly pairs: readonly (readonly [string, string])[]
  /** It compares: `which … first`, `are both …`. */
  readonly compares: boolean
  /** It asks for a point in time. */
  readonly asksWhen: boolean
  /** It asks for a person. */
  readonly asksWho: boolean
  /** It asks for a place. */
  readonly asksWhere: boolean
  /** It asks for a number. */
  readonly asksHowMany: boolean
}

/** Longer questions are cut: the rest of the words would hardly move the ranking. */
const maxQuestionWords = 256
const minLowerCaseNameWords = 2
const comparingWords = new Set(
  'both same older younger earlier later first more longer shorter larger bigger smaller taller higher common either or'.split(
    ' ',
  ),
)
const whenPattern =
  /\b(?:when|what (?:year|date|day|month|decade|century)|which (?:year|date|century)|in what year)\b/i

/** Folds a question and finds the known names in it. */
export function readQuestion(question: string, gazetteer: Gazetteer): ReadQuestion {
  const tokens = tokenize(question).slice(0, maxQuestionWords)
  const meaningful = tokens.filter(({ word }) => !isStopWord(word)).map(({ word }) => stemOf(word))
  const pairs = new Map<string, readonly [string, string]>()
  meaningful.forEach((stem, at) => {
    const next = meaningful[at + 1]
    if (next !== undefined && next !== stem) pairs.set(`${stem} ${next}`, [stem, next])
  })
  const named = namesIn(tokens, gazetteer, true)
  return {
    words: tokens.map(({ word }) => word),
    capitals: tokens.map(({ capital }) => capital),
    stems: [...new Set(meaningful)],
    entities: named.length > 0 ? named : namesIn(tokens, gazetteer, false),
    pairs: [...pairs.values()],
    compares: tokens.some(({ word }) => comparingWords.has(word)),
    asksWhen: whenPattern.test(question),
    asksWho: /\b(?:who|whom|whose|which (?:person|man|woman|actor|actress|author))\b/i.test(question),
    asksWhere: /\b(?:where|(?:what|which) (?:city|country|state|county|place|region|town|province))\b/i.test(
      question,
    ),
    asksHowMany:
      /\bhow (?:many|much|long|large|big|old|tall|high|far)\b|\bwhat (?:percentage|number)\b/i.test(question),
  }
}

/** Known names, the longest first; a word belongs to one name only. */
function namesIn(tokens: readonly Token[], gazetteer: Gazetteer, needsCapital: boolean): EntityKey[] {
  const taken = new Array<boolean>(tokens.length).fill(false)
  const names = new Set<EntityKey>()
  const fewest = needsCapital ? 1 : minLowerCaseNameWords
  for (let words = Math.min(maxNameWords, tokens.length); words >= fewest; words -= 1) {
    for (let from = 0; from + words <= tokens.length; from += 1) {
      if (taken.slice(from, from + words).includes(true)) continue
      const span = tokens.slice(from, from + words)
      if (needsCapital && !span.some((token) => token.capital)) continue
      const key = knownKeyOf(span, gazetteer)
      if (key === undefined || !mayBeName(tokens, span, from, key, gazetteer)) continue
      names.add(key)
      taken.fill(true, from, from + words)
    }
  }
  return [...names]
}

/** A single word that begins a sentence is capitalised in any case, so it must be a title to be a name. */
function mayBeName(
  all: readonly Token[],
  span: readonly Token[],
  from: number,
  key: EntityKey,
  gazetteer: Gazetteer,
): boolean {
  const first = span[0] as Token
  if (span.length > 1) return true
  if (isStopWord(first.word)) return false
  const beginsSentence = all[from - 1]?.sentence !== first.sentence
  return !beginsSentence || gazetteer.isTitle(key)
}

/** The known name that a span says, if need be without the initials between its words. */
function knownKeyOf(span: readonly Token[], gazetteer: Gazetteer): EntityKey | undefined {
  const key = keyOf(span)
  if (gazetteer.knows(key) || span.length < 3) return gazetteer.knows(key) ? key : undefined
  const full = span.filter(({ word, capital }, at) => {
    const isInitial = capital && /^\p{L}$/u.test(word)
    return !isInitial || at === 0 || at === span.length - 1
  })
  const short = keyOf(full)
  return full.length >= 2 && gazetteer.knows(short) ? short : undefined
}

function keyOf(tokens: readonly Token[]): EntityKey {
  return tokens.map(({ word }) => word).join(' ')
}
