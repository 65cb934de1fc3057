import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { scrapeEvents } from './events.ts'
import { scrapeForever } from './scrape.ts'
import { type SeriesQuery, type SignalSource, SignalsUnavailableError } from './signals.ts'
import { SampleStore } from './store.ts'

const maxTargets = 32
const maxSeries = 20_000
const maxChanges = 1_000_000
const intervalBoundsMs = { min: 50, max: 60_000 }
const maxScrapesKept = 20_000
const defaultRetentionMs = 3_600_000

export interface EmbeddedSettings {
  readonly targets: readonly string[]
  readonly intervalMs: number
  readonly retentionMs: number
}

/** Reads `scrape=<url>` (one for each target), `interval_ms` (1000) and `retention_ms` (3600000, or less where intervals are short). Errors: Error naming the parameter. */
export function parseEmbeddedUrl(url: string): EmbeddedSettings {
  const query = url.indexOf('?')
  const parameters = new URLSearchParams(query < 0 ? '' : url.slice(query + 1))
  const targets = parameters.getAll('scrape')
  for (const target of targets) {
    if (!URL.canParse(target) || !/^https?:$/.test(new URL(target).protocol)) {
      throw new Error(`scrape=${target} must be an http or https URL`)
    }
  }
  if (targets.length > maxTargets) throw new Error(`scrape= names more than ${maxTargets} targets`)
  if (new Set(targets.map((target) => new URL(target).host)).size < targets.length) {
    throw new Error('scrape= names one host and port twice: their series could not be told apart')
  }
  const intervalMs = whole(parameters, 'interval_ms', 1_000, intervalBoundsMs)
  const maxRetentionMs = intervalMs * maxScrapesKept
  const retentionMs = whole(parameters, 'retention_ms', Math.min(defaultRetentionMs, maxRetentionMs), {
    min: intervalMs,
    max: maxRetentionMs,
  })
  return { targets, intervalMs, retentionMs }
}

/** Scrapes until it is closed, and keeps what it scraped in memory. */
export function openEmbeddedSource(
  settings: EmbeddedSettings,
  options: { clock: Clock; log: Log },
): SignalSource {
  const { targets, intervalMs, retentionMs } = settings
  const store = new SampleStore({ retentionMs, maxSeries, maxChanges })
  const ending = new AbortController()
  const scraping = scrapeForever(
    { targets, intervalMs, store, clock: options.clock, events: scrapeEvents(options.log) },
    ending.signal,
  )
  return {
    series: async (query: SeriesQuery) => {
      if (ending.signal.aborted) throw new SignalsUnavailableError('the embedded signal source is closed')
      return store.series(query)
    },
    close: async () => {
      ending.abort()
      await scraping
    },
  }
}

function whole(
  parameters: URLSearchParams,
  name: string,
  fallback: number,
  bounds: { min: number; max: number },
): number {
  const value = Number(parameters.get(name) ?? fallback)
  if (!Number.isInteger(value) || value < bounds.min || value > bounds.max) {
    throw new Error(`${name} must be a whole number from ${bounds.min} to ${bounds.max}`)
  }
  return value
}
