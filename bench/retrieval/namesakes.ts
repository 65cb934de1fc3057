import { type EntityKey, titleNames } from '../../services/knowledge-retriever/entities.ts'
import { type Random, seededRandom, shuffled } from '../../services/platform/statistics/random.ts'
import { tokenize } from '../../services/platform/text.ts'
import type { QuestionSet } from './sets.ts'

const sentencesAPassage = 3
const fewestSentences = 2
const maxPassagesATitle = 4
const maxTitleWords = 8
const seed = 'namesakes'

/**
 * A set with more passages under the titles that it has, each made of sentences from elsewhere that say the title. A large
 * collection has many passages under one title, as articles have paragraphs; a small one to train on has few, and a ranker
 * would learn that a title alone tells. Sentences of wanted passages are left out, as they would be wanted too.
 */
export function withNamesakes(set: QuestionSet): QuestionSet {
  const random = seededRandom(seed)
  const added = [...sentencesByTitle(set)].flatMap(([title, sentences]) =>
    passagesOf(title, sentences, random),
  )
  return { ...set, passages: [...set.passages, ...added] }
}

function passagesOf(title: string, sentences: readonly string[], random: Random): QuestionSet['passages'] {
  const drawn = shuffled(sentences, random)
  const passages: { title: string; text: string }[] = []
  for (let from = 0; passages.length < maxPassagesATitle; from += sentencesAPassage) {
    const text = drawn.slice(from, from + sentencesAPassage)
    if (text.length < fewestSentences) break
    passages.push({ title, text: text.join(' ') })
  }
  return passages
}

/** The sentences outside of wanted passages that say a title, under another one. */
function sentencesByTitle({ passages, questions }: QuestionSet): Map<string, string[]> {
  const wanted = new Set(questions.flatMap(({ gold }) => gold))
  const titles = new Map<EntityKey, string>()
  for (const { title } of passages) {
    const key = titleNames(title)[0]?.key
    if (key !== undefined) titles.set(key, title)
  }
  const said = new Map<string, string[]>()
  passages.forEach(({ title, text }, index) => {
    if (wanted.has(index)) return
    for (const sentence of text.split(/(?<=[.!?]) +(?=[A-Z"])/)) {
      for (const named of titlesIn(sentence, titles)) {
        if (named === title) continue
        const sentences = said.get(named)
        if (sentences === undefined) said.set(named, [sentence])
        else sentences.push(sentence)
      }
    }
  })
  return said
}

/** The titles that a text says, the longest at each capitalised word. */
function titlesIn(text: string, titles: ReadonlyMap<EntityKey, string>): Set<string> {
  const tokens = tokenize(text)
  const found = new Set<string>()
  tokens.forEach(({ capital }, from) => {
    if (!capital) return
    for (let words = Math.min(maxTitleWords, tokens.length - from); words > 0; words -= 1) {
      const span = tokens.slice(from, from + words)
      const title = titles.get(span.map(({ word }) => word).join(' '))
      if (title === undefined) continue
      found.add(title)
      return
    }
  })
  return found
}
