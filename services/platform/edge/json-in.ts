import {
  create,
  type DescEnum,
  type DescField,
  type DescMessage,
  type Message,
  ScalarType,
} from '@bufbuild/protobuf'
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect'
import { type Timestamp, TimestampSchema, timestampFromMs } from '@bufbuild/protobuf/wkt'

/** A value that its field cannot take. */
export class FieldError extends Error {
  override readonly name = 'FieldError'
  /** Where, such as `documents[2]` or `budget.window`. */
  readonly field: string

  constructor(field: string, description: string) {
    super(description)
    this.field = field
  }
}

/**
 * Reads JSON as Kong's transcoder does: snake_case names only, unknown names ignored, 64-bit integers as number or text,
 * enums by name or number, times as ISO text (without a zone: UTC). Null is a wrong type. Errors: FieldError.
 */
export function readMessage(desc: DescMessage, json: unknown, place = ''): Message {
  const message = create(desc)
  if (desc.typeName === TimestampSchema.typeName) return readTimestamp(json, place)
  if (!isObject(json)) throw new FieldError(place, 'must be a JSON object')
  const target = reflect(desc, message)
  for (const field of desc.fields) {
    if (!Object.hasOwn(json, field.name)) continue
    readField(target, field, json[field.name], place === '' ? field.name : `${place}.${field.name}`)
  }
  return message
}

/** Reads a value that came as text, in the path or the query. Errors: FieldError. */
export function readText(
  target: ReflectMessage,
  field: DescField,
  texts: readonly string[],
  place: string,
): void {
  if (field.fieldKind === 'list' && field.listKind !== 'message') {
    const list = target.get(field)
    for (const text of texts)
      list.add(readPlain(field.listKind === 'enum' ? field.enum : field.scalar, text, place))
    return
  }
  if (field.fieldKind !== 'scalar' && field.fieldKind !== 'enum') {
    throw new FieldError(place, 'cannot be given in the query')
  }
  const [text, ...more] = texts
  if (text === undefined || more.length > 0) throw new FieldError(place, 'is given more than once')
  const isFlag = field.fieldKind === 'scalar' && field.scalar === ScalarType.BOOL
  const value = isFlag && (text === 'true' || text === 'false') ? text === 'true' : text
  target.set(field, readPlain(field.fieldKind === 'enum' ? field.enum : field.scalar, value, place))
}

function readField(target: ReflectMessage, field: DescField, json: unknown, place: string): void {
  if (field.fieldKind === 'list') {
    if (!Array.isArray(json)) throw new FieldError(place, 'must be a list')
    const list = target.get(field)
    json.forEach((item, index) => {
      list.add(readItem(field.message, field.enum ?? field.scalar, item, `${place}[${index}]`))
    })
  } else if (field.fieldKind === 'map') {
    if (!isObject(json)) throw new FieldError(place, 'must be a JSON object')
    const map = target.get(field)
    for (const [key, item] of Object.entries(json)) {
      // A map is a plain object in memory, where this key would not be one.
      if (key === '__proto__') throw new FieldError(place, 'cannot have the key __proto__')
      map.set(
        readPlain(field.mapKey, key, place) as string,
        readItem(field.message, field.enum ?? field.scalar, item, `${place}.${key}`),
      )
    }
  } else {
    target.set(field, readItem(field.message, field.enum ?? field.scalar, json, place))
  }
}

function readItem(
  message: DescMessage | undefined,
  plain: DescEnum | ScalarType | undefined,
  json: unknown,
  place: string,
): unknown {
  if (message !== undefined) return reflect(message, readMessage(message, json, place))
  return readPlain(plain ?? ScalarType.STRING, json, place)
}

function readPlain(type: DescEnum | ScalarType, json: unknown, place: string): unknown {
  if (typeof type === 'object') return readEnum(type, json, place)
  switch (type) {
    case ScalarType.STRING:
      return readString(json, place)
    case ScalarType.BOOL:
      if (typeof json !== 'boolean') throw new FieldError(place, 'must be true or false')
      return json
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return readNumber(json, place)
    default:
      return readInteger(type, json, place)
  }
}

function readString(json: unknown, place: string): string {
  if (typeof json !== 'string') throw new FieldError(place, 'must be text')
  if (!json.isWellFormed())
    throw new FieldError(place, 'has half of a surrogate pair, which is not a character')
  return json
}

function readNumber(json: unknown, place: string): number {
  const value = typeof json === 'string' && json.trim() !== '' ? Number(json) : json
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new FieldError(place, 'must be a number')
  return value
}

const integerBounds: Partial<Record<ScalarType, readonly [bigint, bigint]>> = {
  [ScalarType.INT32]: [-(2n ** 31n), 2n ** 31n - 1n],
  [ScalarType.SINT32]: [-(2n ** 31n), 2n ** 31n - 1n],
  [ScalarType.SFIXED32]: [-(2n ** 31n), 2n ** 31n - 1n],
  [ScalarType.UINT32]: [0n, 2n ** 32n - 1n],
  [ScalarType.FIXED32]: [0n, 2n ** 32n - 1n],
  [ScalarType.INT64]: [-(2n ** 63n), 2n ** 63n - 1n],
  [ScalarType.SINT64]: [-(2n ** 63n), 2n ** 63n - 1n],
  [ScalarType.SFIXED64]: [-(2n ** 63n), 2n ** 63n - 1n],
  [ScalarType.UINT64]: [0n, 2n ** 64n - 1n],
  [ScalarType.FIXED64]: [0n, 2n ** 64n - 1n],
}

function readInteger(type: ScalarType, json: unknown, place: string): number | bigint {
  const bounds = integerBounds[type]
  const isInteger =
    typeof json === 'number' ? Number.isInteger(json) : typeof json === 'string' && /^-?\d{1,20}$/.test(json)
  if (bounds === undefined || !isInteger) throw new FieldError(place, 'must be a whole number')
  const value = BigInt(json as string | number)
  const [least, most] = bounds
  if (value < least || value > most) throw new FieldError(place, `must be from ${least} to ${most}`)
  return most > 2n ** 32n ? value : Number(value)
}

function readEnum(type: DescEnum, json: unknown, place: string): number {
  const found = type.values.find(
    ({ name, number }) => json === name || json === number || json === String(number),
  )
  if (found !== undefined) return found.number
  throw new FieldError(place, `must be one of ${type.values.map(({ name }) => name).join(', ')}`)
}

function readTimestamp(json: unknown, place: string): Timestamp {
  const isTime =
    typeof json === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$/.test(json)
  const text = isTime ? json : ''
  const ms = Date.parse(/(Z|[+-]\d\d:\d\d)$/.test(text) ? text : `${text}Z`)
  if (Number.isNaN(ms)) throw new FieldError(place, 'must be a time such as 2026-11-22T10:00:00')
  return timestampFromMs(ms)
}

function isObject(json: unknown): json is Record<string, unknown> {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}
