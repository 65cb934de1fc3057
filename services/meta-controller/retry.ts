import { Code, ConnectError } from '@connectrpc/connect'
import type { Clock } from '../platform/clock.ts'

const maxTries = 8
const firstDelayMs = 100
const longestDelayMs = 5000

/** Codes after which the same call may go well a moment later. Every call that the mind makes is idempotent. */
const passing = new Set([Code.Unavailable, Code.ResourceExhausted, Code.Aborted])

/**
 * Calls `call` until it gives something other than a passing fault, at most `maxTries` times with doubling delays (about
 * 15 s in all, which outlasts the restart of a peer). Errors: the last one; the signal's reason when it aborts.
 */
export async function withRetry<T>(
  call: () => Promise<T>,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<T> {
  for (let tries = 1; ; tries++) {
    signal.throwIfAborted()
    try {
      return await call()
    } catch (error) {
      signal.throwIfAborted()
      if (tries >= maxTries || !passing.has(ConnectError.from(error).code)) throw error
    }
    await clock.sleep(Math.min(longestDelayMs, firstDelayMs * 2 ** tries), signal)
  }
}
