import { createHash, randomUUID } from 'node:crypto'
import { Code, ConnectError } from '@connectrpc/connect'
import { detached } from '../platform/grpc/call-context.ts'
import { exportJournal } from '../platform/journal/export.ts'
import { JournalConflictError, type JournalEvent } from '../platform/journal/journal.ts'
import { type MindParts, work } from './mind.ts'
import { type ObjectiveState, replay, streamOf, type Wish } from './objective.ts'
import type { Happening } from './watchers.ts'

const maxObjectives = 10_000
const maxCancelTries = 20
const inspectTimeoutMs = 60_000

/** The objectives of this process's journal, and the work on them. States of each: see `ObjectiveState`. */
export class Objectives {
  readonly #parts: MindParts
  readonly #drain: AbortSignal
  readonly #running = new Map<string, { target: string; cancel: AbortController; done: Promise<unknown> }>()
  /** Targets between the look whether they are free and the entry in `#running`. */
  readonly #claimed = new Set<string>()

  constructor(parts: MindParts, drain: AbortSignal) {
    this.#parts = parts
    this.#drain = drain
  }

  /** Goes on with every objective that had not ended when the last process did. */
  async resume(): Promise<void> {
    for (const stream of await this.#parts.journal.streams('objective/')) {
      const state = replay(await this.#parts.journal.read(stream))
      if (state.ending !== undefined) continue
      this.#parts.events.resumed(state)
      this.#start(state)
    }
  }

  /**
   * Takes an objective and starts on it. The same `requestId` again gives the objective that it gave before.
   * Errors: failed_precondition when the target is busy, or cannot be worked on as it is (with code-modifier's own words).
   */
  async submit(wish: Wish, requestId: string): Promise<ObjectiveState> {
    const id = requestId === '' ? `o-${randomUUID().slice(0, 12)}` : `o-${idOf(requestId)}`
    const known = await this.#find(id)
    if (known !== undefined) return known
    this.#claim(wish.target)
    try {
      await this.#inspect(wish)
      const [event] = await this.#parts.journal.append(streamOf(id), 0, [
        { type: 'submitted', data: { id, wish } },
      ])
      const state = replay([event!])
      this.#parts.events.accepted(state)
      this.#start(state)
      return state
    } catch (error) {
      if (error instanceof JournalConflictError) return this.get(id)
      throw error
    } finally {
      this.#claimed.delete(wish.target)
    }
  }

  /** Errors: not_found. */
  async get(id: string): Promise<ObjectiveState> {
    const state = await this.#find(id)
    if (state === undefined)
      throw new ConnectError(`objective_id: there is no objective "${id}"`, Code.NotFound)
    return state
  }

  /** Newest first. */
  async list(limit: number): Promise<ObjectiveState[]> {
    const streams = (await this.#parts.journal.streams('objective/')).slice(0, maxObjectives)
    const states = await Promise.all(
      streams.map(async (stream) => replay(await this.#parts.journal.read(stream))),
    )
    return states.toSorted((a, b) => b.createdAtMs - a.createdAtMs).slice(0, limit)
  }

  /** What has happened, and what happens from here on; an event may be in both. Errors: not_found. */
  async watch(
    id: string,
    signal: AbortSignal,
  ): Promise<{ history: readonly JournalEvent[]; live: AsyncIterable<Happening> }> {
    await this.get(id)
    const live = this.#parts.watchers.watch(id, AbortSignal.any([signal, this.#drain]))
    return { history: await this.#parts.journal.read(streamOf(id)), live }
  }

  /** Asks the work on it to put back what is under way and end; waits for that. Errors: not_found. */
  async cancel(id: string, reason: string): Promise<ObjectiveState> {
    for (let tries = 0; tries < maxCancelTries; tries++) {
      const state = await this.get(id)
      if (state.ending !== undefined) return state
      try {
        if (state.cancelReason === undefined) {
          await this.#parts.journal.append(streamOf(id), state.sequence, [
            { type: 'cancel_requested', data: { reason } },
          ])
        }
        this.#running.get(id)?.cancel.abort(new Error('canceled'))
        await this.#running.get(id)?.done
        return await this.get(id)
      } catch (error) {
        if (!(error instanceof JournalConflictError)) throw error
      }
    }
    throw new ConnectError('the objective changes too fast to be canceled: try again', Code.Aborted)
  }

  /** The objective's journal as text that can be verified without a server. Errors: not_found. */
  async export(id: string): Promise<string> {
    await this.get(id)
    return exportJournal(this.#parts.journal, streamOf(id))
  }

  /** Resolves when all work has stopped, after `drain` was aborted. */
  async stopped(): Promise<void> {
    await Promise.allSettled([...this.#running.values()].map((one) => one.done))
  }

  #start(state: ObjectiveState): void {
    const cancel = new AbortController()
    // The work outlives the call that submitted it, and has neither its deadline nor its trace.
    const done = detached(() => work(state.id, this.#parts, { drain: this.#drain, cancel: cancel.signal }))
      .catch((error) => this.#parts.events.stageFailed(state, undefined, error))
      .finally(() => this.#running.delete(state.id))
    this.#running.set(state.id, { target: state.wish.target, cancel, done })
  }

  #claim(target: string): void {
    const busy = [...this.#running].find(([, one]) => one.target === target)
    if (busy === undefined && !this.#claimed.has(target)) {
      this.#claimed.add(target)
      return
    }
    const which = busy === undefined ? 'another objective' : `objective ${busy[0]}`
    throw new ConnectError(
      `target: ${target} is busy with ${which}: wait for it, or cancel it`,
      Code.FailedPrecondition,
    )
  }

  /** A target that cannot be worked on is the submitter's to mend, so code-modifier's words reach them unchanged. */
  async #inspect(wish: Wish): Promise<void> {
    try {
      const { codeModifier } = this.#parts.stageContext.peers
      await codeModifier.inspectTarget(
        { target: wish.target },
        { signal: this.#drain, timeoutMs: inspectTimeoutMs },
      )
    } catch (error) {
      const { code, rawMessage } = ConnectError.from(error)
      if (code === Code.FailedPrecondition || code === Code.NotFound) throw new ConnectError(rawMessage, code)
      throw error
    }
  }

  async #find(id: string): Promise<ObjectiveState | undefined> {
    if (!/^[A-Za-z0-9-]{1,64}$/.test(id)) return undefined
    const events = await this.#parts.journal.read(streamOf(id))
    return events.length === 0 ? undefined : replay(events)
  }
}

function idOf(requestId: string): string {
  return createHash('sha256').update(requestId).digest('hex').slice(0, 12)
}
