/** What arguments may be, so that their text tells any two calls apart. */
export type Primitive = string | number | bigint | boolean | null | undefined

export interface MemoizeOptions {
  /** How many results are kept. Beyond that, the one that was asked for longest ago goes. */
  readonly maxEntries: number
  /** How long a result is kept, in milliseconds. */
  readonly ttlMs: number
}

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
    const key = args.map(textOf).join()
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

/** A text that no other value has: `1` is not `"1"`, `0` is not `-0`, `["a", "b"]` is not `["a,b"]`. */
function textOf(value: Primitive): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'bigint') return `${value}n`
  return Object.is(value, -0) ? '-0' : String(value)
}
