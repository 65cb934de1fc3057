import type { EntityKey, TitleName } from './entities.ts'
import { inside, inTitle, named, titled, titledByAlias } from './entity-index.ts'
import type { Gazetteer } from './gazetteer.ts'
import type { WordCodes } from './vocabulary.ts'

/** Sentences beyond are taken for the last of these, so that sets of them are bits of one integer. */
export const maxSentences = 31

/** How a passage has an entity: the kind of the edge, and the sentences that name it as bits. */
export interface Mention {
  kind: number
  sentences: number
}

/** A passage's words, in which names are looked for. */
export interface ReadPassage {
  readonly words: WordCodes
  readonly titleWords: WordCodes
  readonly titleNames: readonly TitleName[]
}

/** The entities of a passage: the known names of its text and of its title, and those that its title gives. */
export function findMentions(
  passage: ReadPassage,
  gazetteer: Gazetteer,
  meaningOf: (key: EntityKey) => EntityKey,
): Map<EntityKey, Mention> {
  const found = new Map<EntityKey, Mention>()
  const note = (name: EntityKey, kind: number, sentence?: number) => {
    const key = meaningOf(name)
    const bit = sentence === undefined ? 0 : 1 << Math.min(sentence, maxSentences - 1)
    const known = found.get(key)
    if (known === undefined) found.set(key, { kind, sentences: bit })
    else {
      known.kind = Math.max(known.kind, kind)
      known.sentences |= bit
    }
  }
  for (const { key, sentence, isInside } of gazetteer.matches(passage.words)) {
    note(key, isInside ? inside : named, sentence)
  }
  for (const { key, isInside } of gazetteer.matches(passage.titleWords))
    note(key, isInside ? inside : inTitle)
  for (const { key, weight } of passage.titleNames) note(key, weight === 1 ? titled : titledByAlias)
  return found
}
