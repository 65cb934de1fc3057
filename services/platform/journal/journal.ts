import type { JsonValue } from '../canonical-json.ts'

/**
 * Append-only streams of events, each hash-chained on its own. State is what replaying a stream gives.
 * Implementations: `journal.sqlite.ts`, `journal.redis.ts`; opened by URL in `open.ts`; held to one suite in `journal.contract.ts`.
 */
export interface Journal {
  /**
   * Adds `events` behind the event `expectedSequence`, the last that the writer has seen (0: a new stream); all of them or none.
   * When it resolves, they are stored. Errors: JournalConflictError (someone else appended: read, decide anew),
   * JournalForgottenError, JournalUnavailableError, JournalCorruptError, JournalInputError.
   */
  append(
    stream: string,
    expectedSequence: number,
    events: readonly NewEvent[],
  ): Promise<readonly JournalEvent[]>
  /** The events from `fromSequence` (default 1) on, their chain verified; none for an unknown stream. Errors: JournalCorruptError, JournalForgottenError, JournalUnavailableError. */
  read(stream: string, fromSequence?: number): Promise<readonly JournalEvent[]>
  /** The names of the streams that begin with `prefix`, sorted. */
  streams(prefix: string): Promise<readonly string[]>
  /** Idempotent. Later calls on this journal are refused as unavailable. */
  close(): Promise<void>
}

export interface NewEvent {
  /** What happened, such as `decided`. */
  readonly type: string
  /** Any JSON value; something else is refused with the place where it stands. */
  readonly data: unknown
}

export interface JournalEvent {
  readonly stream: string
  /** 1 for the first event of the stream, without gaps. */
  readonly sequence: number
  /** Wall time in milliseconds; never less than that of the event before, even when the clock went back. */
  readonly atMs: number
  readonly type: string
  readonly data: JsonValue
  /** The hash of the event before; 64 zeros in the first. */
  readonly previousHash: string
  /** SHA-256, in hex, over the canonical JSON of all other fields. */
  readonly hash: string
}

export const maxEventBytes = 256 * 1024
export const maxEventsPerAppend = 100
export const maxEventsPerStream = 100_000

const streamGrammar = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}$/
const prefixGrammar = /^[A-Za-z0-9._:/-]{0,200}$/
const typeGrammar = /^[A-Za-z][A-Za-z0-9._-]{0,99}$/

/** The writer asked for something outside the journal's grammar or bounds; nothing was stored. */
export class JournalInputError extends Error {
  override readonly name = 'JournalInputError'
}

/** The stream has moved on since the writer looked. Expected between two replicas: read it again and decide anew. */
export class JournalConflictError extends Error {
  override readonly name = 'JournalConflictError'
  readonly stream: string
  readonly expectedSequence: number
  readonly actualSequence: number
  constructor(stream: string, expectedSequence: number, actualSequence: number) {
    super(
      `journal stream ${stream} is at event ${actualSequence}, the writer had seen ${expectedSequence}: read it again`,
    )
    this.stream = stream
    this.expectedSequence = expectedSequence
    this.actualSequence = actualSequence
  }
}

/**
 * The store no longer holds events that it had acknowledged. It is no JournalConflictError on purpose:
 * who answers a conflict by reading again would take the loss for the truth.
 */
export class JournalForgottenError extends Error {
  override readonly name = 'JournalForgottenError'
  readonly stream: string
  constructor(stream: string, reason: string) {
    super(
      `journal stream ${stream} has lost events (${reason}): restore the store from its backup; nothing is appended until then`,
    )
    this.stream = stream
  }
}

/** The stored events are not those that were appended. */
export class JournalCorruptError extends Error {
  override readonly name = 'JournalCorruptError'
  readonly stream: string
  readonly sequence: number
  constructor(stream: string, sequence: number, reason: string, options?: ErrorOptions) {
    super(
      `journal stream ${stream} is corrupt at event ${sequence}: ${reason}; restore it from a backup`,
      options,
    )
    this.stream = stream
    this.sequence = sequence
  }
}

/** The store cannot be reached or cannot write. An append that ends so may or may not be stored: read before the next one. */
export class JournalUnavailableError extends Error {
  override readonly name = 'JournalUnavailableError'
}

/** Errors: JournalInputError. */
export function checkStream(stream: string): void {
  if (!streamGrammar.test(stream)) {
    throw new JournalInputError(`journal stream ${JSON.stringify(stream)} must match ${streamGrammar.source}`)
  }
}

/** Errors: JournalInputError. */
export function checkPrefix(prefix: string): void {
  if (!prefixGrammar.test(prefix)) {
    throw new JournalInputError(
      `journal stream prefix ${JSON.stringify(prefix)} must match ${prefixGrammar.source}`,
    )
  }
}

/** Errors: JournalInputError. */
export function checkFromSequence(fromSequence: number): void {
  if (!Number.isSafeInteger(fromSequence) || fromSequence < 1) {
    throw new JournalInputError(`fromSequence is ${fromSequence}: it must be a whole number from 1`)
  }
}

/** Errors: JournalInputError. The size of each event is checked where it is sealed. */
export function checkAppend(stream: string, expectedSequence: number, events: readonly NewEvent[]): void {
  checkStream(stream)
  if (!Number.isSafeInteger(expectedSequence) || expectedSequence < 0) {
    throw new JournalInputError(`expectedSequence is ${expectedSequence}: it must be a whole number from 0`)
  }
  if (events.length < 1 || events.length > maxEventsPerAppend) {
    throw new JournalInputError(
      `an append holds 1 to ${maxEventsPerAppend} events, this one ${events.length}`,
    )
  }
  if (expectedSequence + events.length > maxEventsPerStream) {
    throw new JournalInputError(
      `journal stream ${stream} is full: it holds at most ${maxEventsPerStream} events`,
    )
  }
  for (const event of events) {
    if (!typeGrammar.test(event.type)) {
      throw new JournalInputError(`event type ${JSON.stringify(event.type)} must match ${typeGrammar.source}`)
    }
  }
}
