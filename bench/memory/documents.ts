import type { KnownDocument } from '../../services/knowledge-retriever/prepare.ts'
import { type Random, seededRandom } from '../../services/platform/statistics/random.ts'

// Made-up documents that burden the memory as an encyclopaedia does: about 80 words each, a vocabulary that goes on growing
// with the text (Zipf), and names that documents share, so that passages are joined to each other over names.

const vocabularySize = 100_000
const nameWords = 12_000
const sentenceWords = [9, 23] as const
const documentSentences = [3, 7] as const
const joiningShare = 0.42
const nameShare = 0.085
/** The more even, the rarer is the most frequent: the first of the words is in about every eighth passage, as in encyclopaedias. */
const evenness = { joining: 2, words: 30, names: 10 } as const
const joining =
  'the of and in to a was is for as on with by he at from his an were are which it that also had its first one their or who has been this after two but her'.split(
    ' ',
  )
const syllables =
  'ba be bi bo bu da de di do du fa fe fi ga ge go gu ka ke ki ko la le li lo lu ma me mi mo mu na ne ni no pa pe pi po ra re ri ro sa se si so su ta te ti to va ve vi vo za ze'.split(
    ' ',
  )

/** What is drawn from for all documents of a seed. */
export interface World {
  readonly seed: number
  readonly words: readonly string[]
  /** One for each document: its title, and what others call it. */
  readonly names: readonly string[]
}

/** A world of so many documents. The same seed gives the same. */
export function worldOf(seed: number, documents: number): World {
  const random = seededRandom(`world ${seed}`)
  const words = Array.from({ length: vocabularySize }, (_, rank) => wordOf(rank))
  const parts = Array.from({ length: nameWords }, (_, rank) => capitalised(`${wordOf(rank * 7 + 3)}n`))
  const names = Array.from({ length: documents }, () => {
    const count = 1 + Math.floor(random() * 3)
    return Array.from({ length: count }, () => parts[skewed(random, nameWords, evenness.names)]).join(' ')
  })
  return { seed, words, names }
}

/** The document of a number: the same for the same number. */
export function documentOf(world: World, number: number): KnownDocument {
  const random = seededRandom(`document ${world.seed} ${number}`)
  const sentences = Array.from({ length: within(random, documentSentences) }, (_, index) =>
    sentenceOf(world, random, index === 0 ? world.names[number] : undefined),
  )
  const title = world.names[number] as string
  return { id: `d${number}`, title, text: sentences.join(' '), source: `made/${number}` }
}

/** A question to which the document of a number has something to say: words of it, and names of it and of another. */
export function questionOf(world: World, number: number): string {
  const random = seededRandom(`question ${world.seed} ${number}`)
  const { text, title } = documentOf(world, number)
  const words = text
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((word) => word.length > 3)
  const some = (count: number) =>
    Array.from({ length: count }, () => words[Math.floor(random() * words.length)]).join(' ')
  const names = text.match(/[A-Z][a-z]+(?: [A-Z][a-z]+)*/g) ?? [title]
  const named = names[Math.floor(random() * names.length)]
  return `What ${some(2)} of the ${some(2)} of ${title} was ${some(2)} when ${named} ${some(1)}?`
}

function sentenceOf(world: World, random: Random, about: string | undefined): string {
  const words = about === undefined ? [] : [about, 'is']
  for (let count = within(random, sentenceWords); words.length < count; ) words.push(nextWord(world, random))
  return `${capitalised(words.join(' '))}.`
}

function nextWord({ words, names }: World, random: Random): string {
  const kind = random()
  if (kind < joiningShare) return joining[skewed(random, joining.length, evenness.joining)] as string
  if (kind < joiningShare + nameShare) return names[skewed(random, names.length, evenness.names)] as string
  return words[skewed(random, words.length, evenness.words)] as string
}

/** A place from 0 to below `count` by the law of Zipf and Mandelbrot: the rank r about as often as 1 / (r + evenness). */
function skewed(random: Random, count: number, evenness: number): number {
  return Math.floor(evenness * ((count + evenness) / evenness) ** random() - evenness)
}

function wordOf(rank: number): string {
  let word = ''
  for (let rest = rank + syllables.length; rest > 0; rest = Math.floor(rest / syllables.length)) {
    word += syllables[rest % syllables.length]
  }
  return word
}

function within(random: Random, [least, most]: readonly [number, number]): number {
  return least + Math.floor(random() * (most - least + 1))
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
