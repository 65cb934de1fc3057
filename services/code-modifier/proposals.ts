import { detached } from '../platform/grpc/call-context.ts'
import type { ChangeState } from './change.ts'

/** Someone who waits for a proposal. */
export interface Watcher {
  readonly onProgress: (step: string, detail: string) => void
  /** Aborts when they no longer wait. */
  readonly signal: AbortSignal
}

type Work = (signal: AbortSignal, report: (step: string, detail: string) => void) => Promise<ChangeState>

interface UnderWay {
  readonly watchers: Set<Watcher>
  readonly done: Promise<ChangeState>
  readonly abandon: AbortController
}

/** The proposals that are being worked on, each once, however many wait for it. When nobody waits any more, it is given up. */
export class Proposals {
  readonly #drain: AbortSignal
  readonly #underWay = new Map<string, UnderWay>()

  constructor(drain: AbortSignal) {
    this.#drain = drain
  }

  /** Waits for the proposal, beginning it if need be. Errors: those of the work; the watcher's reason when it stops waiting. */
  async join(id: string, watcher: Watcher, work: Work): Promise<ChangeState> {
    for (;;) {
      const known = this.#underWay.get(id)
      if (known === undefined || !known.abandon.signal.aborted)
        return this.#wait(known ?? this.#begin(id, work), watcher)
      // One that was given up still clears its folders away; the next one has the same.
      await unlessLeft(
        watcher,
        known.done.catch(() => undefined),
      )
    }
  }

  async #wait(entry: UnderWay, watcher: Watcher): Promise<ChangeState> {
    entry.watchers.add(watcher)
    try {
      return await unlessLeft(watcher, entry.done)
    } finally {
      entry.watchers.delete(watcher)
      if (entry.watchers.size === 0) entry.abandon.abort(new Error('nobody waits for the proposal any more'))
    }
  }

  async stopped(): Promise<void> {
    await Promise.allSettled([...this.#underWay.values()].map(({ done }) => done))
  }

  #begin(id: string, work: Work): UnderWay {
    const watchers = new Set<Watcher>()
    const abandon = new AbortController()
    const signal = AbortSignal.any([abandon.signal, this.#drain])
    const report = (step: string, detail: string) => {
      for (const watcher of watchers) watcher.onProgress(step, detail)
    }
    // The work belongs to all who wait, so it does not end with the call that began it.
    const done = detached(() => work(signal, report)).finally(() => this.#underWay.delete(id))
    done.catch(() => undefined)
    const entry = { watchers, done, abandon }
    this.#underWay.set(id, entry)
    return entry
  }
}

/** Waits for `done`, and rejects with the watcher's reason as soon as they leave. */
async function unlessLeft<T>({ signal }: Watcher, done: Promise<T>): Promise<T> {
  const left = Promise.withResolvers<never>()
  const leave = () => left.reject(signal.reason)
  signal.addEventListener('abort', leave, { once: true })
  if (signal.aborted) leave()
  try {
    return await Promise.race([done, left.promise])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}
