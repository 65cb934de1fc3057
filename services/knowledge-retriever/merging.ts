import { type EntityKey, titleNames } from './entities.ts'
import type { MergedName } from './store.ts'

/** A text that names nothing, such as a number or a small word. */
export class NotANameError extends Error {
  override readonly name = 'NotANameError'
}

/** A merge that cannot be made as things are; the message says why. */
export class MergeRefusedError extends Error {
  override readonly name = 'MergeRefusedError'
}

/** More merged names are refused. */
export const maxMergedNames = 10_000
/** Longer chains of merges are refused; the graph follows them no further. */
const maxChain = 16

/** The key of a name as people write it: `keyOfName('New  JERSEY', 'name')` is `new jersey`. Errors: NotANameError naming `field`. */
export function keyOfName(name: string, field: string): EntityKey {
  const key = titleNames(name.toWellFormed())[0]?.key
  if (key === undefined) {
    throw new NotANameError(
      `${field}: ${JSON.stringify(name)} is no name: it needs a word that is not a number, a month or a small word`,
    )
  }
  return key
}

/** Errors: MergeRefusedError when the merge would go round in a circle, or there are too many. */
export function checkMerge(merged: ReadonlyMap<EntityKey, EntityKey>, { alias, name }: MergedName): void {
  if (!merged.has(alias) && merged.size >= maxMergedNames) {
    throw new MergeRefusedError(`${maxMergedNames} names are merged already: split some first`)
  }
  const after = new Map(merged).set(alias, name)
  for (let from: EntityKey | undefined = name; from !== undefined; from = merged.get(from)) {
    if (from !== alias) continue
    throw new MergeRefusedError(
      `${JSON.stringify(name)} means ${JSON.stringify(alias)} already: split that first`,
    )
  }
  // The longest chain through the new merge begins at a name that is merged into the alias.
  for (const start of after.keys()) {
    let steps = 0
    for (let at = after.get(start); at !== undefined; at = after.get(at)) steps += 1
    if (steps > maxChain)
      throw new MergeRefusedError(`more than ${maxChain} names would be merged one into the next`)
  }
}
