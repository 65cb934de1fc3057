import type { Clock } from './clock.ts'

/** A clock that stands still until it is moved. `sleep` ends when the clock has been moved far enough. */
export interface TestClock extends Clock {
  /** Moves both times on, and ends the sleeps that are due. */
  advance(durationMs: number): void
  /** Sets the wall time alone, as an administrator would, backwards too. */
  setNow(nowMs: number): void
}

interface Sleeper {
  readonly dueMs: number
  readonly wake: () => void
}

export function testClock(startMs = 1_700_000_000_000): TestClock {
  let nowMs = startMs
  let monotonicMs = 0
  const sleepers = new Set<Sleeper>()
  const wakeDue = () => {
    for (const sleeper of sleepers) if (sleeper.dueMs <= monotonicMs) sleeper.wake()
  }
  return {
    nowMs: () => nowMs,
    monotonicMs: () => monotonicMs,
    setNow: (wanted) => {
      nowMs = wanted
    },
    advance: (durationMs) => {
      nowMs += durationMs
      monotonicMs += durationMs
      wakeDue()
    },
    sleep: (durationMs, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const end = (finish: () => void) => {
          sleepers.delete(sleeper)
          signal?.removeEventListener('abort', onAbort)
          finish()
        }
        const onAbort = () => end(() => reject(signal?.reason))
        const sleeper = { dueMs: monotonicMs + durationMs, wake: () => end(resolve) }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', onAbort, { once: true })
      }),
  }
}
