import type { EntityKey } from './entities.ts'
import { isCapital, startsSentence, type Vocabulary, type WordCodes, wordIn } from './vocabulary.ts'

/** A known name found in a text; `from` and `to` are indices of words, `to` is past the end. */
export interface NameMatch {
  readonly key: EntityKey
  readonly from: number
  readonly to: number
  /** The index of its sentence. */
  readonly sentence: number
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
  readonly #vocabulary: Vocabulary
  /** The known names by the numbers of their words, one step a word. */
  readonly #roots: (NameNode | undefined)[] = []

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary
  }

  /** Counts uses of a name up or down; the vocabulary has its words. Gives true when this made it known or unknown. */
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
  matches(words: WordCodes): NameMatch[] {
    const found: NameMatch[] = []
    let coveredTo = 0
    let sentence = -1
    for (let from = 0; from < words.length; from += 1) {
      const code = words[from] as number
      if (startsSentence(code)) sentence += 1
      const root = isCapital(code) ? this.#roots[wordIn(code)] : undefined
      if (root === undefined) continue
      let node: NameNode | undefined = root
      let key: EntityKey | undefined
      let to = from
      for (let at = from + 1; node !== undefined; at += 1) {
        if (node.key !== undefined) [key, to] = [node.key, at]
        if (node.next === undefined) break
        let next: NameNode | undefined
        for (; at < words.length && !startsSentence(words[at] as number); at += 1) {
          next = node.next.get(wordIn(words[at] as number))
          if (next !== undefined || !this.#isInitial(words[at] as number)) break
        }
        node = next
      }
      if (key === undefined) continue
      found.push({ key, from, to, sentence, isInside: to <= coveredTo })
      coveredTo = Math.max(coveredTo, to)
    }
    return found
  }

  /** A letter in the middle of a name may be left out: `John H. Taylor` is `John Taylor` too. */
  #isInitial(code: number): boolean {
    return isCapital(code) && this.#vocabulary.isInitial(wordIn(code))
  }

  #turn(key: EntityKey, known: boolean): void {
    const [first, ...others] = key.split(' ').map((word) => this.#vocabulary.idOf(word) as number) as [number]
    let node = this.#roots[first]
    if (node === undefined) {
      node = { key: undefined, next: undefined }
      this.#roots[first] = node
    }
    const path: [NameNode, number][] = []
    for (const word of others) {
      path.push([node, word])
      node.next ??= new Map()
      let next: NameNode | undefined = node.next.get(word)
      if (next === undefined) {
        next = { key: undefined, next: undefined }
        node.next.set(word, next)
      }
      node = next
    }
    node.key = known ? key : undefined
    for (const [parent, word] of path.reverse()) {
      if (!isEmpty(parent.next?.get(word))) return
      parent.next?.delete(word)
      if (parent.next?.size === 0) parent.next = undefined
    }
    if (isEmpty(this.#roots[first])) this.#roots[first] = undefined
  }
}

interface NameNode {
  /** The name that ends here, when it is known. */
  key: EntityKey | undefined
  next: Map<number, NameNode> | undefined
}

function isEmpty(node: NameNode | undefined): boolean {
  return node?.key === undefined && node?.next === undefined
}

function isKnown(use: NameUse): boolean {
  return use.titles > 0 || use.spans >= minSpanUses
}
