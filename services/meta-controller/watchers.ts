import type { JournalEvent } from '../platform/journal/journal.ts'
import type { StageName } from './objective.ts'

/** What a watcher gets: a journalled event, or how a long stage gets on. */
export type Happening =
  | { readonly kind: 'event'; readonly event: JournalEvent; readonly message: string }
  | {
      readonly kind: 'progress'
      readonly stage: StageName
      readonly message: string
      readonly details?: unknown
      readonly atMs: number
    }

/** A slow watcher loses the oldest progress lines beyond this; journalled events it can read again. */
const maxQueued = 1000

/** Passes on what happens to objectives to those who watch them. */
export class Watchers {
  readonly #queues = new Map<string, Set<Queue>>()

  publish(objectiveId: string, happening: Happening): void {
    for (const queue of this.#queues.get(objectiveId) ?? []) queue.push(happening)
  }

  /** What happens from now on, until `signal` aborts. Subscribed when this returns, not when iteration begins. */
  watch(objectiveId: string, signal: AbortSignal): AsyncIterable<Happening> {
    const queue = new Queue()
    const queues = this.#queues.get(objectiveId) ?? new Set()
    this.#queues.set(objectiveId, queues.add(queue))
    const stop = () => {
      queue.end()
      queues.delete(queue)
      if (queues.size === 0) this.#queues.delete(objectiveId)
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
    return queue.drain(stop)
  }
}

class Queue {
  readonly #waiting: Happening[] = []
  #wake: (() => void) | undefined
  #ended = false

  push(happening: Happening): void {
    this.#waiting.push(happening)
    if (this.#waiting.length > maxQueued) this.#waiting.shift()
    this.#wake?.()
  }

  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  async *drain(stop: () => void): AsyncGenerator<Happening> {
    try {
      while (true) {
        for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) yield next
        if (this.#ended) return
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    } finally {
      stop()
    }
  }
}
