import { isStopWord, stemOf, type Token, tokenize } from '../platform/text.ts'

/** What a question asks about: its stems with their weights, and which of them are parts of names. */
export interface Asked {
  readonly weights: ReadonlyMap<string, number>
  readonly names: ReadonlySet<string>
}

/** A sentence of a passage, with the stems that it has. */
export interface Sentence {
  readonly text: string
  readonly stems: ReadonlySet<string>
}

const maxQuestionWords = 256
const nameFactor = 1.5
/** Who asks why wants the sentence with the reason. */
export const reasonStem = stemOf('because')
// They ask; an answer does not repeat them.
const askingStems = new Set('tell explain describe pleas list give name mani much know say mean'.split(' '))

/** Weighs a question's stems by their rarity among the sentences that were found; a stem that none has weighs most. */
export function readQuestion(question: string, sentences: readonly Sentence[]): Asked {
  const tokens = tokenize(question).slice(0, maxQuestionWords)
  const weights = new Map<string, number>()
  const names = new Set<string>()
  const rarityOf = (stem: string) => {
    const count = sentences.filter(({ stems }) => stems.has(stem)).length
    return Math.log(1 + (sentences.length + 1) / (count + 0.5))
  }
  tokens.forEach((token, index) => {
    const stem = stemOf(token.word)
    if (isStopWord(token.word) || askingStems.has(stem)) return
    const isName = token.capital && tokens[index - 1]?.sentence === token.sentence
    if (isName) names.add(stem)
    weights.set(stem, Math.max(weights.get(stem) ?? 0, rarityOf(stem) * (isName ? nameFactor : 1)))
  })
  const asksWhy = tokens.some(({ word }) => word === 'why')
  if (asksWhy && weights.size > 0 && !weights.has(reasonStem)) {
    weights.set(reasonStem, rarityOf(reasonStem))
  }
  return { weights, names }
}

/** The sentences of a text, in order. */
export function sentencesOf(text: string): Sentence[] {
  const bySentence = new Map<number, Token[]>()
  for (const token of tokenize(text)) {
    const tokens = bySentence.get(token.sentence)
    if (tokens) tokens.push(token)
    else bySentence.set(token.sentence, [token])
  }
  const groups = [...bySentence.values()]
  return groups.map((tokens, index) => {
    const from = index === 0 ? 0 : (tokens[0]?.start ?? 0)
    const to = groups[index + 1]?.[0]?.start ?? text.length
    const stems = new Set(tokens.filter(({ word }) => !isStopWord(word)).map(({ word }) => stemOf(word)))
    return { text: text.slice(from, to).replace(/\s+/g, ' ').trim(), stems }
  })
}
