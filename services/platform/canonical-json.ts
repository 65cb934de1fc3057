/** A value as `JSON.parse` gives it. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue }

/** Deeper data is refused, so that hostile nesting cannot exhaust the stack. */
export const maxJsonDepth = 64

/** Thrown for a value that JSON cannot hold; the message names the place, such as `$.limits[2]`. */
export class NotJsonError extends Error {
  override readonly name = 'NotJsonError'
}

/**
 * The one text of a JSON value: keys sorted by UTF-16 code unit, no spaces, ASCII only. It is what hashes and signatures
 * are taken over. As in `JSON.stringify`, a property that is `undefined` is left out; all else that is not JSON throws NotJsonError.
 * `canonicalJson({ b: 1, a: 'é' })` is `{"a":"\u00e9","b":1}`, which Python's `json.dumps(v, sort_keys=True, separators=(',', ':'))` prints too.
 */
export function canonicalJson(value: unknown): string {
  return write(value, '$', 0)
}

function write(value: unknown, place: string, depth: number): string {
  if (depth > maxJsonDepth) throw new NotJsonError(`${place} is nested deeper than ${maxJsonDepth} levels`)
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return writeString(value)
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value)
  if (Array.isArray(value)) {
    return `[${value.map((item, index) => write(item, `${place}[${index}]`, depth + 1)).join(',')}]`
  }
  if (isPlainObject(value)) return writeObject(value, place, depth)
  throw new NotJsonError(`${place} is ${describe(value)}, which JSON cannot hold`)
}

function writeObject(value: Record<string, unknown>, place: string, depth: number): string {
  const members: string[] = []
  for (const key of Object.keys(value).sort()) {
    if (value[key] === undefined) continue
    members.push(`${writeString(key)}:${write(value[key], `${place}.${key}`, depth + 1)}`)
  }
  return `{${members.join(',')}}`
}

/** ASCII only, so that no decoder on the way can turn two different byte sequences into the same text. */
function writeString(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function describe(value: unknown): string {
  if (typeof value === 'number') return String(value)
  if (typeof value === 'object') return `a ${value?.constructor.name ?? 'value'}`
  return value === undefined ? 'undefined' : `a ${typeof value}`
}
