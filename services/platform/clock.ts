/** The one source of time. Everything that waits or stamps takes a Clock, so that tests own time. */
export interface Clock {
  /** Wall time in milliseconds since the epoch; may step backwards, so never subtract two of them. */
  nowMs(): number
  /** Milliseconds since an arbitrary origin; never goes backwards. Use it for durations. */
  monotonicMs(): number
  /** Resolves after `durationMs`; rejects with the signal's reason as soon as `signal` aborts. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (durationMs, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const onAbort = () => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }, durationMs)
      signal?.addEventListener('abort', onAbort, { once: true })
    }),
}
