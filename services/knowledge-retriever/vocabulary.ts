import { isStopWord, stemOf } from '../platform/text.ts'

/** Stop words have no stem. */
export const noStem = -1

export const maxCountInPosting = 63
const countBits = 6
/** Ordinals stay below this, so that a posting is a small integer. */
export const maxPassages = 2 ** 24

/** The ordinal of the passage that a posting stands for. */
export function ordinalOf(posting: number): number {
  return posting >>> countBits
}

/** How often the stem occurs there; above 63 it counts as 63. */
export function countOf(posting: number): number {
  return posting & maxCountInPosting
}

/** The words of a text by number, each with its marks. */
export type WordCodes = Int32Array

/** A word by number, with marks: 1 if it is capitalised, 2 if it begins a sentence, 3 if both. */
export function codeOf(word: number, marks: number): number {
  return (word << 2) | marks
}

export function wordIn(code: number): number {
  return code >>> 2
}

export function marksIn(code: number): number {
  return code & 3
}

export function isCapital(code: number): boolean {
  return (code & 1) !== 0
}

export function startsSentence(code: number): boolean {
  return (code & 2) !== 0
}

/**
 * The words and stems of the passages by number, and which passages have which stem. A word that the last passage has
 * given up is forgotten, and its number used again.
 */
export class Vocabulary {
  readonly #wordIds = new Map<string, number>()
  readonly #words: string[] = []
  readonly #stemOfWord: number[] = []
  readonly #uses: number[] = []
  readonly #freeWords: number[] = []
  readonly #stemIds = new Map<string, number>()
  readonly #stems: string[] = []
  readonly #postings: number[][] = []
  /** How many words each stem has. */
  readonly #stemWords: number[] = []
  readonly #freeStems: number[] = []

  /** The number of a word, which is used once more. */
  take(word: string): number {
    let id = this.#wordIds.get(word)
    if (id === undefined) {
      id = this.#freeWords.pop() ?? this.#words.length
      this.#wordIds.set(word, id)
      this.#words[id] = word
      this.#uses[id] = 0
      this.#stemOfWord[id] = isStopWord(word) ? noStem : this.#takeStem(stemOf(word))
    }
    this.#uses[id] = (this.#uses[id] as number) + 1
    return id
  }

  /** Uses a word once more that is in use. */
  takeAgain(id: number): number {
    this.#uses[id] = (this.#uses[id] as number) + 1
    return id
  }

  /** Takes back one use of a word, which ends with the last; its stem's postings must have been taken back before. */
  release(id: number): void {
    const uses = (this.#uses[id] as number) - 1
    this.#uses[id] = uses
    if (uses > 0) return
    this.#wordIds.delete(this.#words[id] as string)
    this.#words[id] = ''
    this.#freeWords.push(id)
    this.#releaseStem(this.#stemOfWord[id] as number)
  }

  #releaseStem(stem: number): void {
    if (stem === noStem) return
    const words = (this.#stemWords[stem] as number) - 1
    this.#stemWords[stem] = words
    if (words > 0) return
    this.#stemIds.delete(this.#stems[stem] as string)
    this.#stems[stem] = ''
    this.#freeStems.push(stem)
  }

  idOf(word: string): number | undefined {
    return this.#wordIds.get(word)
  }

  wordOf(id: number): string {
    return this.#words[id] as string
  }

  /** Whether a word is one letter, as an initial is. */
  isInitial(id: number): boolean {
    const word = this.#words[id] as string
    return word.length === 1 && !(word >= '0' && word <= '9')
  }

  /** The stem of a word by number, `noStem` for a stop word. */
  stemOfWord(id: number): number {
    return this.#stemOfWord[id] as number
  }

  stemId(stem: string): number | undefined {
    return this.#stemIds.get(stem)
  }

  /** Words have numbers below this. */
  get wordCapacity(): number {
    return this.#words.length
  }

  /** Stems have numbers below this. */
  get stemCapacity(): number {
    return this.#stems.length
  }

  /** The passages that have a stem, in no order. */
  postings(stem: number): readonly number[] {
    return this.#postings[stem] as number[]
  }

  post(stem: number, ordinal: number, count: number): void {
    const postings = this.#postings[stem] as number[]
    postings.push((ordinal << countBits) | Math.min(count, maxCountInPosting))
  }

  unpost(stem: number, ordinal: number): void {
    const postings = this.#postings[stem] as number[]
    const at = postings.findIndex((posting) => ordinalOf(posting) === ordinal)
    postings[at] = postings.at(-1) as number
    postings.pop()
  }

  #takeStem(stem: string): number {
    let id = this.#stemIds.get(stem)
    if (id === undefined) {
      id = this.#freeStems.pop() ?? this.#stems.length
      this.#stemIds.set(stem, id)
      this.#stems[id] = stem
      this.#postings[id] = []
      this.#stemWords[id] = 0
    }
    this.#stemWords[id] = (this.#stemWords[id] as number) + 1
    return id
  }
}
