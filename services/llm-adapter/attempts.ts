import type { Clock } from '../platform/clock.ts'
import type { Events } from './events.ts'
import { isWorthAnotherTry, ModelError } from './model.ts'
import { TimeLimitError, Watchdog } from './watchdog.ts'

export interface AttemptLimits {
  /** For the whole call, waiting included. */
  readonly totalMs: number
  /** For one request; of a stream, until its first piece. */
  readonly attemptMs: number
}

export interface AttemptParts {
  readonly clock: Clock
  readonly events: Events
  /** From 0 to below 1. */
  readonly random: () => number
  readonly limits: AttemptLimits
}

export const maxAttempts = 4
const firstPauseMs = 500
const maxPauseMs = 20_000

/**
 * Tries until it succeeds, at most `maxAttempts` times and `totalMs` long. It pauses as long as the provider asks
 * (Retry-After), or else for a random time up to a limit that doubles (full jitter), and gives up at once when
 * the pause would outlast the call. Errors: the last ModelError, or the signal's reason.
 */
export async function withAttempts<T>(
  parts: AttemptParts,
  signal: AbortSignal,
  attempt: (watchdog: Watchdog) => Promise<T>,
): Promise<T> {
  const { clock, limits, events } = parts
  const endMs = clock.monotonicMs() + limits.totalMs
  for (let tries = 1; ; tries += 1) {
    const leftMs = endMs - clock.monotonicMs()
    if (leftMs <= 0) throw new ModelError('timeout', `no answer within ${limits.totalMs} ms`)
    try {
      return await tryOnce(signal, Math.min(limits.attemptMs, leftMs), attempt)
    } catch (error) {
      signal.throwIfAborted()
      if (!isWorthAnotherTry(error)) throw error
      const pauseMs =
        error.retryAfterMs ?? parts.random() * Math.min(maxPauseMs, firstPauseMs * 2 ** (tries - 1))
      const isLast = tries === maxAttempts || pauseMs >= endMs - clock.monotonicMs()
      events.attemptFailed(error, { tries, pauseMs: isLast ? undefined : pauseMs })
      if (isLast) throw error
      await clock.sleep(pauseMs, signal)
    }
  }
}

/** The watchdog stays open when an attempt succeeds: a stream goes on under it, and whoever reads it closes it. */
async function tryOnce<T>(
  signal: AbortSignal,
  limitMs: number,
  attempt: (watchdog: Watchdog) => Promise<T>,
): Promise<T> {
  const watchdog = new Watchdog(signal, limitMs)
  try {
    return await attempt(watchdog)
  } catch (error) {
    watchdog.close()
    throw inWords(error)
  }
}

/** A watchdog's bark is a fault of the provider like the others. */
export function inWords(error: unknown): unknown {
  return error instanceof TimeLimitError ? new ModelError('timeout', error.message) : error
}
