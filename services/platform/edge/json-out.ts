import { type DescEnum, type DescMessage, type Message, ScalarType } from '@bufbuild/protobuf'
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect'
import { type Timestamp, TimestampSchema, timestampMs } from '@bufbuild/protobuf/wkt'

/** Kong writes numbers through a double with this many digits; so does the edge, so that both give one text. */
const significantDigits = 14

/**
 * Writes a message as Kong's transcoder does: snake_case, every plain field and list also when it has its default, absent
 * messages left out, 64-bit integers as numbers, enums by name, times as `2026-11-22T10:00:00` in UTC.
 * Unlike Kong, which rounds them to 14 digits, it writes long integers in full.
 */
export function writeMessage(desc: DescMessage, message: Message): string {
  return writeReflected(reflect(desc, message))
}

function writeReflected(message: ReflectMessage): string {
  if (message.desc.typeName === TimestampSchema.typeName) return writeTimestamp(message.message as Timestamp)
  const members: string[] = []
  for (const field of message.fields) {
    const isOptional = field.fieldKind === 'message' || field.oneof !== undefined
    if (isOptional && !message.isSet(field)) continue
    members.push(`${JSON.stringify(field.name)}:${writeField(message, field)}`)
  }
  return `{${members.join(',')}}`
}

function writeField(message: ReflectMessage, field: ReflectMessage['fields'][number]): string {
  const plain = field.enum ?? field.scalar
  if (field.fieldKind === 'list') {
    return `[${Array.from(message.get(field), (item) => writeItem(plain, item)).join(',')}]`
  }
  if (field.fieldKind === 'map') {
    const entries = Array.from(
      message.get(field),
      ([key, item]) => `${JSON.stringify(String(key))}:${writeItem(plain, item)}`,
    )
    return `{${entries.join(',')}}`
  }
  return writeItem(plain, message.get(field))
}

function writeItem(plain: DescEnum | ScalarType | undefined, value: unknown): string {
  if (plain === undefined) return writeReflected(value as ReflectMessage)
  if (typeof plain === 'object') return writeEnum(plain, value as number)
  if (plain === ScalarType.DOUBLE || plain === ScalarType.FLOAT) return writeNumber(value as number)
  return typeof value === 'bigint' ? value.toString() : JSON.stringify(value)
}

/** A number that the contract does not know is written as it is. */
function writeEnum(desc: DescEnum, value: number): string {
  const name = desc.value[value]?.name
  return name === undefined ? String(value) : JSON.stringify(name)
}

/** JSON has no NaN and no infinity; they become text, as in protobuf's own JSON. */
function writeNumber(value: number): string {
  return Number.isFinite(value)
    ? String(Number(value.toPrecision(significantDigits)))
    : JSON.stringify(String(value))
}

function writeTimestamp(time: Timestamp): string {
  return JSON.stringify(new Date(timestampMs(time)).toISOString().slice(0, 19))
}
