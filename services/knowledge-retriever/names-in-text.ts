import { type EntityKey, titleNames } from './entities.ts'
import type { PreparedText } from './prepare.ts'

/** Names to look for in texts, by their first word. */
export type NamesByWord = ReadonlyMap<string, readonly (readonly string[])[]>

/** A name that stands in a text: where its first word is, as an index of words. */
export interface FoundName {
  readonly key: EntityKey
  readonly at: number
}

/** The names that people, or a model, have written down, as keys; those that name nothing, such as numbers, are left out. */
export function keysOfNames(names: readonly string[]): Set<EntityKey> {
  const keys = new Set<EntityKey>()
  for (const name of names) {
    const key = titleNames(name)[0]?.key
    if (key !== undefined) keys.add(key)
  }
  return keys
}

export function namesByWord(keys: Iterable<EntityKey>): NamesByWord {
  const byWord = new Map<string, string[][]>()
  for (const key of keys) {
    const words = key.split(' ')
    const first = words[0] as string
    const others = byWord.get(first)
    if (others === undefined) byWord.set(first, [words])
    else others.push(words)
  }
  return byWord
}

/** Where the words of the names stand side by side within a sentence. Capital letters do not count: that is what these names are for. */
export function findNames({ words, marks }: PreparedText, names: NamesByWord): FoundName[] {
  const found: FoundName[] = []
  for (let at = 0; at < words.length; at += 1) {
    for (const name of names.get(words[at] as string) ?? []) {
      let length = 1
      while (length < name.length && words[at + length] === name[length]) {
        if (beginsSentence(marks, at + length)) break
        length += 1
      }
      if (length === name.length) found.push({ key: name.join(' '), at })
    }
  }
  return found
}

function beginsSentence(marks: Uint8Array, at: number): boolean {
  return ((marks[at] as number) & 2) !== 0
}
