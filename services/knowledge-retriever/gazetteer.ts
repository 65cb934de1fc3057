import type { Token } from '../platform/text.ts'
import { type EntityKey, maxNameWords } from './entities.ts'

/** A known name found in a text; `from` and `to` are token indices, `to` is past the end. */
export interface NameMatch {
  readonly key: EntityKey
  readonly from: number
  readonly to: number
  /** 1, or less when it stands inside a longer name: `Virginia` in `West Virginia`. */
  readonly weight: number
}

interface NameUse {
  titles: number
  spans: number
}

const insideLongerNameWeight = 0.35
/** A span that only one passage has connects nothing. */
const minSpanUses = 2

/**
 * All known names: titles, their aliases, and spans that at least two passages have. What it knows follows from the
 * counts alone, so adding and removing passages in any order ends in the same gazetteer.
 */
export class Gazetteer {
  readonly #uses = new Map<EntityKey, NameUse>()
  /** First word of the known names → their lengths in words → how many names have it. */
  readonly #lengths = new Map<string, Map<number, number>>()

  /** Counts uses of a name up or down. Gives true when this made it known or unknown. */
  count(key: EntityKey, kind: 'titles' | 'spans', change: 1 | -1): boolean {
    const use = this.#uses.get(key) ?? { titles: 0, spans: 0 }
    const before = isKnown(use)
    use[kind] += change
    if (use.titles === 0 && use.spans === 0) this.#uses.delete(key)
    else this.#uses.set(key, use)
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

  /** The known names in a text: at each capitalised word the longest, and in it the shorter ones at their lower weight. */
  matches(tokens: readonly Token[]): NameMatch[] {
    const found: NameMatch[] = []
    let coveredTo = 0
    tokens.forEach((token, from) => {
      if (!token.capital) return
      const longest = this.#longestAt(tokens, from)
      if (longest === undefined) return
      const to = from + longest.words
      found.push({ key: longest.key, from, to, weight: to <= coveredTo ? insideLongerNameWeight : 1 })
      coveredTo = Math.max(coveredTo, to)
    })
    return found
  }

  #longestAt(tokens: readonly Token[], from: number): { key: EntityKey; words: number } | undefined {
    const first = tokens[from]
    const lengths = first && this.#lengths.get(first.word)
    if (first === undefined || lengths === undefined) return undefined
    let key = ''
    let longest: { key: EntityKey; words: number } | undefined
    for (let words = 1; words <= maxNameWords; words += 1) {
      const token = tokens[from + words - 1]
      if (token === undefined || token.sentence !== first.sentence) break
      key = words === 1 ? token.word : `${key} ${token.word}`
      if (lengths.has(words) && this.knows(key)) longest = { key, words }
    }
    return longest
  }

  #countLength(key: EntityKey, change: 1 | -1): void {
    const words = key.split(' ')
    const first = words[0] ?? ''
    const lengths = this.#lengths.get(first) ?? new Map<number, number>()
    const count = (lengths.get(words.length) ?? 0) + change
    if (count === 0) lengths.delete(words.length)
    else lengths.set(words.length, count)
    if (lengths.size === 0) this.#lengths.delete(first)
    else this.#lengths.set(first, lengths)
  }
}

function isKnown(use: NameUse): boolean {
  return use.titles > 0 || use.spans >= minSpanUses
}
