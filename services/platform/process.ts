import { Closers } from './closers.ts'
import type { Log } from './log.ts'

/** What a program is given to run in. */
export interface Life {
  /** Aborts when the process begins to end. */
  readonly signal: AbortSignal
  /** What the program starts, it adds here; it is closed in reverse. The server goes last, so that it drains first. */
  readonly closers: Closers
  /** Begins the end as a signal would. */
  end(): void
}

export interface LifeOptions {
  readonly log: Log
  /** All of the closing takes at most this; what is not closed by then is cut. */
  readonly maxCloseMs?: number
}

const defaultMaxCloseMs = 2000
/** Everything is closed and the process still has not ended after this: something has leaked. */
const maxLingerMs = 500

type Ending = { readonly signal: NodeJS.Signals | undefined }

/**
 * Starts a program and resolves when it has ended: by SIGTERM or SIGINT, by `life.end()`, or by an error that nobody
 * caught, which sets the exit code to 1. A second signal ends the process at once. Errors: those of `start`, once
 * what it had started is closed.
 */
export async function runUntilSignal(
  options: LifeOptions,
  start: (life: Life) => Promise<void>,
): Promise<void> {
  const { log, maxCloseMs = defaultMaxCloseMs } = options
  const ending = Promise.withResolvers<Ending>()
  const draining = new AbortController()
  const closers = new Closers()
  const unwatch = watchProcess(log, ending.resolve)
  const life: Life = { signal: draining.signal, closers, end: () => ending.resolve({ signal: undefined }) }
  let failure: unknown
  try {
    // A signal during the start does not wait for it; what the start still adds is closed as it comes.
    const started = start(life)
    started.catch(() => {})
    const early = await Promise.race([ending.promise, started])
    const { signal } = early ?? (await ending.promise)
    log.info('process_ending', { signal })
  } catch (error) {
    failure = error
    throw error
  } finally {
    draining.abort()
    await closeWithin({ log, closers, maxCloseMs, failure })
    unwatch()
  }
}

/** Listens for what ends a process; the function given back stops listening. */
function watchProcess(log: Log, end: (ending: Ending) => void): () => void {
  let signals = 0
  const onSignal = (signal: NodeJS.Signals) => {
    signals += 1
    if (signals === 1) end({ signal })
    else {
      log.warn('process_ended_at_once', { signal })
      endAtOnce(signal)
    }
  }
  const onError = (error: unknown) => {
    log.error('process_error_uncaught', { error: error instanceof Error ? error : new Error(String(error)) })
    process.exitCode = 1
    end({ signal: undefined })
  }
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, onSignal)
  for (const name of ['unhandledRejection', 'uncaughtException'] as const) process.on(name, onError)
  return () => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.off(name, onSignal)
    for (const name of ['unhandledRejection', 'uncaughtException'] as const) process.off(name, onError)
  }
}

async function closeWithin(end: {
  readonly log: Log
  readonly closers: Closers
  readonly maxCloseMs: number
  readonly failure: unknown
}): Promise<void> {
  const { log, closers, maxCloseMs, failure } = end
  const overdue = setTimeout(() => {
    log.error('process_close_overdue', { closing: closers.current, max_close_ms: maxCloseMs })
    // Whoever would have told why the start failed does not come to it any more.
    if (failure instanceof Error) process.stderr.write(`nexus: ${failure.message}\n`)
    endAtOnce('SIGTERM')
  }, maxCloseMs)
  try {
    await closers.close()
  } catch (error) {
    log.error('process_close_failed', { error })
    process.exitCode = 1
  }
  clearTimeout(overdue)
  // It does not keep the process alive itself: it fires only where something else still does.
  setTimeout(() => {
    log.error('process_lingers', { resources: process.getActiveResourcesInfo() })
    endAtOnce('SIGTERM')
  }, maxLingerMs).unref()
}

/** Ends the process by a signal that nobody handles any more, as the system would. */
function endAtOnce(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}
