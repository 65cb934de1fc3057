import { type EntityKey, maxNameWords } from './entities.ts'

/** A word of a text as names are looked for in it; a `Token` is one. */
export interface TextWord {
  readonly word: string
  readonly capital: boolean
  readonly sentence: number
}

/** A known name found in a text; `from` and `to` are indices of words, `to` is past the end. */
export interface NameMatch {
  readonly key: EntityKey
  readonly from: number
  readonly to: number
  /** It stands inside a longer name: `Virginia` in `West Virginia`. */
  readonly isInside: boolean
}

interface NameUse {
  titles: number
  spans: number
}

/** A span that only one passage has connects nothing. */
const minSpanUses = 2

/**
 * All known names: titles, their aliases, and spans that at least two passages have. What it knows follows from the
 * counts alone, so adding and removing passages in any order ends in the same gazetteer.
 */
export class Gazetteer {
  readonly #uses = new Map<EntityKey, NameUse>()
  /** First word of the known names → how many names there are of one word, of two, … */
  readonly #lengths = new Map<string, number[]>()

  /** Counts uses of a name up or down. Gives true when this made it known or unknown. */
  count(key: EntityKey, kind: 'titles' | 'spans', change: 1 | -1): boolean {
    let use = this.#uses.get(key)
    if (use === undefined) {
      use = { titles: 0, spans: 0 }
      this.#uses.set(key, use)
    }
    const before = isKnown(use)
    use[kind] += change
    if (use.titles === 0 && use.spans === 0) this.#uses.delete(key)
    const after = isKnown(use)
    if (before !== after) this.#countLength(key, after ? 1 : -1)
    return before !== after
  }

  knows(key: EntityKey): boolean {
    const use = this.#uses.get(key)
    return use !== undefined && isKnown(use)
  }

  isTitle(key: EntityKey): boolean {
    return (this.#uses.get(key)?.titles ?? 0) > 0
  }

  /** The known names in a text: the longest at each capitalised word, also where a longer one contains it. */
  matches(words: readonly TextWord[]): NameMatch[] {
    const found: NameMatch[] = []
    let coveredTo = 0
    for (let from = 0; from < words.length; from += 1) {
      if (words[from]?.capital !== true) continue
      const longest = this.#longestAt(words, from)
      if (longest === undefined) continue
      const to = from + longest.words
      found.push({ key: longest.key, from, to, isInside: to <= coveredTo })
      coveredTo = Math.max(coveredTo, to)
    }
    return found
  }

  #longestAt(words: readonly TextWord[], from: number): { key: EntityKey; words: number } | undefined {
    const first = words[from] as TextWord
    const lengths = this.#lengths.get(first.word)
    if (lengths === undefined) return undefined
    let key = first.word
    let longest: { key: EntityKey; words: number } | undefined
    for (let count = 1; ; count += 1) {
      if ((lengths[count] ?? 0) > 0 && this.knows(key)) longest = { key, words: count }
      const next = words[from + count]
      if (count >= lengths.length - 1 || next === undefined || next.sentence !== first.sentence)
        return longest
      key = `${key} ${next.word}`
    }
  }

  #countLength(key: EntityKey, change: 1 | -1): void {
    const words = key.split(' ')
    const first = words[0] ?? ''
    let lengths = this.#lengths.get(first)
    if (lengths === undefined) {
      lengths = []
      this.#lengths.set(first, lengths)
    }
    while (lengths.length <= words.length && lengths.length <= maxNameWords) lengths.push(0)
    lengths[words.length] = (lengths[words.length] ?? 0) + change
    while (lengths.at(-1) === 0) lengths.pop()
    if (lengths.length === 0) this.#lengths.delete(first)
  }
}

function isKnown(use: NameUse): boolean {
  return use.titles > 0 || use.spans >= minSpanUses
}
