import { type Random, shuffled } from '../../../platform/statistics/random.ts'

/**
 * The fold of each row, 0 to folds − 1, drawn at random with the same share of treated rows in each fold.
 * With fewer treated or untreated rows than folds, some folds have none: callers see to enough of both.
 */
export function stratifiedFolds(treated: ArrayLike<number>, folds: number, random: Random): Uint8Array {
  const result = new Uint8Array(treated.length)
  let place = 0
  for (const arm of [0, 1]) {
    const members: number[] = []
    for (let row = 0; row < treated.length; row++) if (treated[row] === arm) members.push(row)
    for (const row of shuffled(members, random)) result[row] = place++ % folds
  }
  return result
}

/**
 * The fold of each row where rows come in blocks (time slots, machines): blocks stay whole, and blocks that follow each other
 * in the order of the rows are in the same fold as long as possible, so that what is predicted is not learnt from its neighbours.
 */
export function blockFolds(blocks: ArrayLike<number>, folds: number): Uint8Array {
  const places = new Map<number, number>()
  for (let row = 0; row < blocks.length; row++)
    if (!places.has(blocks[row]!)) places.set(blocks[row]!, places.size)
  const used = Math.min(folds, places.size)
  const result = new Uint8Array(blocks.length)
  for (let row = 0; row < blocks.length; row++)
    result[row] = Math.floor((places.get(blocks[row]!)! * used) / places.size)
  return result
}

/** Rows inside and outside a fold. */
export function splitByFold(folds: Uint8Array, fold: number): { inside: number[]; outside: number[] } {
  const inside: number[] = []
  const outside: number[] = []
  for (let row = 0; row < folds.length; row++) (folds[row] === fold ? inside : outside).push(row)
  return { inside, outside }
}
