import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../platform/clock.ts'
import {
  type Journal,
  type JournalEvent,
  JournalUnavailableError,
  type NewEvent,
} from '../platform/journal/journal.ts'

const retryMs = 500

/** Appends to one stream of which this is the only writer. */
export class EventStream {
  readonly #journal: Journal
  readonly #clock: Clock
  readonly #stream: string
  readonly #onAway: (stream: string, error: unknown) => void
  #sequence: number

  /** `sequence`: that of the last event that the writer has seen. `onAway` is told of each try that failed for want of the journal. */
  constructor(options: {
    journal: Journal
    clock: Clock
    stream: string
    sequence: number
    onAway: (stream: string, error: unknown) => void
  }) {
    this.#journal = options.journal
    this.#clock = options.clock
    this.#stream = options.stream
    this.#sequence = options.sequence
    this.#onAway = options.onAway
  }

  /** Appends one event, and tries again for as long as the journal is away. Errors: the signal's reason; the journal's other errors. */
  async append(event: NewEvent, signal: AbortSignal): Promise<JournalEvent> {
    for (;;) {
      signal.throwIfAborted()
      try {
        return await this.#appendOnce(event)
      } catch (error) {
        if (!(error instanceof JournalUnavailableError)) throw error
        this.#onAway(this.#stream, error)
        await this.#clock.sleep(retryMs, signal)
      }
    }
  }

  /** A try that ended in doubt may have been stored, so the stream is read before the next. */
  async #appendOnce(event: NewEvent): Promise<JournalEvent> {
    const [stored] = await this.#journal.read(this.#stream, this.#sequence + 1)
    const isOurs =
      stored?.type === event.type && isDeepStrictEqual(stored.data, JSON.parse(JSON.stringify(event.data)))
    const appended = isOurs ? stored : (await this.#journal.append(this.#stream, this.#sequence, [event]))[0]!
    this.#sequence = appended.sequence
    return appended
  }
}
