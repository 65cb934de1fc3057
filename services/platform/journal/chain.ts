import { createHash } from 'node:crypto'
import { canonicalJson, type JsonValue, NotJsonError } from '../canonical-json.ts'
import { type JournalEvent, JournalInputError, maxEventBytes, type NewEvent } from './journal.ts'

/** What the next event of a stream is chained to. */
export interface Head {
  readonly sequence: number
  readonly atMs: number
  readonly hash: string
}

/** The head of a stream without events. */
export const emptyHead: Head = { sequence: 0, atMs: 0, hash: '0'.repeat(64) }

/** An event with the canonical text of its data, which is what the stores keep. */
export interface SealedEvent {
  readonly event: JournalEvent
  readonly dataText: string
}

/** Chains new events behind `head`. Errors: JournalInputError when the data is not JSON or an event is too large. */
export function sealEvents(
  stream: string,
  head: Head,
  events: readonly NewEvent[],
  nowMs: number,
): SealedEvent[] {
  let previous = head
  return events.map((fresh) => {
    const sealed = sealEvent(stream, previous, fresh, nowMs)
    previous = sealed.event
    return sealed
  })
}

function sealEvent(stream: string, previous: Head, fresh: NewEvent, nowMs: number): SealedEvent {
  const named = `event ${fresh.type} for journal stream ${stream}`
  try {
    const dataText = canonicalJson(fresh.data)
    if (dataText.length > maxEventBytes) {
      throw new JournalInputError(
        `${named} has ${dataText.length} bytes of data, the bound is ${maxEventBytes}: store the bulk elsewhere and its digest here`,
      )
    }
    const content = {
      stream,
      sequence: previous.sequence + 1,
      atMs: Math.max(previous.atMs, Math.floor(nowMs)),
      type: fresh.type,
      data: JSON.parse(dataText) as JsonValue,
      previousHash: previous.hash,
    }
    return { event: { ...content, hash: hashOf(content) }, dataText }
  } catch (error) {
    if (error instanceof NotJsonError) throw new JournalInputError(`${named}: ${error.message}`)
    throw error
  }
}

/** SHA-256 in hex over the canonical JSON of an event without its hash. */
export function hashOf(content: Omit<JournalEvent, 'hash'>): string {
  return createHash('sha256').update(canonicalJson(content)).digest('hex')
}

/** Why `event` cannot be the one behind `head` in `stream`; undefined when it is. */
export function faultOf(stream: string, head: Head, event: JournalEvent): string | undefined {
  if (event.stream !== stream) return `it belongs to stream ${event.stream}`
  if (event.sequence !== head.sequence + 1) {
    return `event ${head.sequence + 1} is missing, event ${event.sequence} stands in its place`
  }
  if (event.previousHash !== head.hash) return 'it is not chained to the event before'
  if (!Number.isSafeInteger(event.atMs) || event.atMs < head.atMs)
    return 'its time is before that of the event before'
  const { hash, ...content } = event
  if (hash !== hashOf(content)) return 'its hash is not that of its content'
  return undefined
}
