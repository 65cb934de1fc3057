import type { EntityKey } from './entities.ts'

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
  /** The known names by their words, one step a word. */
  readonly #root: NameNode = { key: undefined, next: new Map() }

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
    if (before !== after) this.#turn(key, after)
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
    let node = this.#root.next?.get(first.word)
    let longest: { key: EntityKey; words: number } | undefined
    for (let count = 1; node !== undefined; count += 1) {
      if (node.key !== undefined) longest = { key: node.key, words: count }
      const next = words[from + count]
      if (node.next === undefined || next === undefined || next.sentence !== first.sentence) break
      node = node.next.get(next.word)
    }
    return longest
  }

  #turn(key: EntityKey, known: boolean): void {
    const path: [NameNode, string][] = []
    let node = this.#root
    for (const word of key.split(' ')) {
      path.push([node, word])
      node.next ??= new Map()
      let next = node.next.get(word)
      if (next === undefined) {
        next = { key: undefined, next: undefined }
        node.next.set(word, next)
      }
      node = next
    }
    node.key = known ? key : undefined
    for (const [parent, word] of path.reverse()) {
      const child = parent.next?.get(word)
      if (child?.key !== undefined || child?.next !== undefined) return
      parent.next?.delete(word)
      if (parent.next?.size === 0 && parent !== this.#root) parent.next = undefined
    }
  }
}

interface NameNode {
  /** The name that ends here, when it is known. */
  key: EntityKey | undefined
  next: Map<string, NameNode> | undefined
}

function isKnown(use: NameUse): boolean {
  return use.titles > 0 || use.spans >= minSpanUses
}
