import type { Clock } from '../clock.ts'
import type { ScrapeEvents } from './events.ts'
import type { SampleStore } from './store.ts'
import { type ExposedSample, parseTextFormat } from './text-format.ts'

const maxBodyBytes = 16 * 1024 * 1024
const maxSamplesPerScrape = 20_000
const maxTimeoutMs = 10_000

export interface ScrapeOptions {
  readonly targets: readonly string[]
  readonly intervalMs: number
  readonly store: SampleStore
  readonly clock: Clock
  readonly events: ScrapeEvents
}

/**
 * Scrapes all targets once per interval until `signal` aborts. It does so in the middle of each interval of the wall clock,
 * so that windows that begin and end on whole intervals hold one scrape for each interval, however late a timer is.
 */
export async function scrapeForever(options: ScrapeOptions, signal: AbortSignal): Promise<void> {
  const failing = new Set<string>()
  for (;;) {
    try {
      await options.clock.sleep(untilMiddleMs(options.clock.nowMs(), options.intervalMs), signal)
    } catch (error) {
      if (signal.aborted) return
      throw error
    }
    await Promise.all(options.targets.map((target) => scrapeOne(target, options, failing, signal)))
  }
}

function untilMiddleMs(nowMs: number, intervalMs: number): number {
  const wait = (1.5 * intervalMs - (nowMs % intervalMs)) % intervalMs
  // A timer may fire a little early; without this the same middle would be scraped twice.
  return wait < intervalMs / 10 ? wait + intervalMs : wait
}

async function scrapeOne(
  target: string,
  options: ScrapeOptions,
  failing: Set<string>,
  signal: AbortSignal,
): Promise<void> {
  const { store, clock, events, intervalMs } = options
  const instance = new URL(target).host
  const atMs = clock.nowMs()
  try {
    const samples = await fetchSamples(target, Math.min(intervalMs, maxTimeoutMs), signal)
    store.add(instance, atMs, samples)
    if (failing.delete(target)) events.targetCameBack(target)
  } catch (error) {
    if (signal.aborted) return
    store.add(instance, atMs, undefined)
    if (!failing.has(target)) events.targetWentAway(target, error as Error)
    failing.add(target)
  }
}

async function fetchSamples(
  target: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ExposedSample[]> {
  const response = await fetch(target, {
    headers: { accept: 'text/plain;version=0.0.4' },
    redirect: 'error',
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  })
  if (!response.ok) {
    await response.body?.cancel()
    throw new Error(`it answered ${response.status}`)
  }
  return parseTextFormat(await readBounded(response, maxBodyBytes), maxSamplesPerScrape)
}

/** The body as text. Errors: Error when it is longer than `maxBytes`. */
export async function readBounded(response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) throw new Error(`its answer is longer than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
