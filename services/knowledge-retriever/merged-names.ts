import type { EntityKey } from './entities.ts'

/** A chain of merged names is not followed further. */
const maxMerges = 16

/** Which names mean the same as another name. Taking a merge back restores what was before. */
export class MergedNames {
  readonly #nameOf = new Map<EntityKey, EntityKey>()

  /** What a name stands for in the end: itself, or what it was merged into. */
  meaningOf(key: EntityKey): EntityKey {
    if (this.#nameOf.size === 0) return key
    let meaning = key
    for (let steps = 0; steps < maxMerges; steps += 1) {
      const next = this.#nameOf.get(meaning)
      if (next === undefined) break
      meaning = next
    }
    return meaning
  }

  /** What an alias was merged into. */
  nameOf(alias: EntityKey): EntityKey | undefined {
    return this.#nameOf.get(alias)
  }

  /** Gives false for a merge that would go round in a circle: it is not made. */
  merge(alias: EntityKey, name: EntityKey): boolean {
    if (this.meaningOf(name) === this.meaningOf(alias)) return false
    this.#nameOf.set(alias, name)
    return true
  }

  unmerge(alias: EntityKey): void {
    this.#nameOf.delete(alias)
  }

  get all(): readonly (readonly [alias: EntityKey, name: EntityKey])[] {
    return [...this.#nameOf]
  }
}
