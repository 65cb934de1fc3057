/** What arguments may be, so that their text tells any two calls apart. */
export type Primitive = string | number | bigint | boolean | null | undefined

export interface MemoizeOptions {
  /** How many results are kept. Beyond that, the one that was asked for longest ago goes. */
  readonly maxEntries: number
  /** How long a result is kept, in milliseconds. */
  readonly ttlMs: number
}

const maxKeyLength = 4_096

/**
 * Keeps the results of a function that depends on its arguments only, and gives the kept one when the same arguments come again.
 * All callers get the same result, so none may change it. An error is not kept: the next call tries again.
 */
export function memoize<Arguments extends readonly Primitive[], Result>(
  compute: (...args: Arguments) => Result,
  { maxEntries, ttlMs }: MemoizeOptions,
): (...args: Arguments) => Result {
  // A Map remembers the order in which its keys were set: the first is the one that was asked for longest ago.
  const kept = new Map<string, { readonly result: Result; readonly untilMs: number }>()
  return (...args) => {
    const key = keyOf(args)
    if (key === undefined) return compute(...args)
    const found = kept.get(key)
    kept.delete(key)
    if (found !== undefined && performance.now() < found.untilMs) {
      kept.set(key, found)
      return found.result
    }
    const result = compute(...args)
    kept.set(key, { result, untilMs: performance.now() + ttlMs })
    const [oldest] = kept.keys()
    if (kept.size > maxEntries && oldest !== undefined) kept.delete(oldest)
    return result
  }
}

/**
 * A text that no other arguments have: `1` is not `"1"`, `0` is not `-0`, `["a", "b"]` is not `["a,b"]`. None where the text would be
 * long, or where an argument from outside does not keep to its type.
 */
function keyOf(args: readonly unknown[]): string | undefined {
  let key = ''
  for (const value of args) {
    if (typeof value === 'string') key += value.length > maxKeyLength ? value : JSON.stringify(value)
    else if (typeof value === 'bigint') key += `${value}n`
    else if (typeof value === 'symbol' || Object(value) === value) return undefined
    else key += Object.is(value, -0) ? '-0' : String(value)
    if (key.length > maxKeyLength) return undefined
    key += ','
  }
  return key
}
