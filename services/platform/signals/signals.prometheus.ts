import { z } from 'zod'
import { readBounded } from './scrape.ts'
import { type RawSeries, type SeriesQuery, type SignalSource, SignalsUnavailableError } from './signals.ts'

const timeoutMs = 5_000
const maxBodyBytes = 64 * 1024 * 1024
const metricGrammar = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const labelGrammar = /^[a-zA-Z_][a-zA-Z0-9_]*$/

const reply = z.object({
  data: z.object({
    resultType: z.literal('matrix'),
    result: z.array(
      z.object({
        metric: z.record(z.string(), z.string()),
        values: z.array(z.tuple([z.number(), z.string()])).default([]),
      }),
    ),
  }),
  warnings: z.array(z.string()).optional(),
})

/**
 * Reads raw samples from Prometheus's HTTP API: an instant query of a range selector, so that the numbers are the scraped
 * ones, not `rate()`'s. `base` is `http(s)://host:port`, with a path when Prometheus is served under one.
 */
export function openPrometheusSource(base: string): SignalSource {
  const address = new URL(base)
  if (address.username || address.password) {
    throw new Error(
      'the URL of Prometheus must not hold a user or password: put a proxy that signs in before it',
    )
  }
  const endpoint = new URL(`${address.pathname.replace(/\/$/, '')}/api/v1/query`, address)
  const ending = new AbortController()
  return {
    series: (query) => ask(endpoint, query, ending.signal),
    close: async () => ending.abort(),
  }
}

async function ask(endpoint: URL, query: SeriesQuery, signal: AbortSignal): Promise<RawSeries[]> {
  const body = new URLSearchParams({ query: selectorOf(query), time: (query.endMs / 1000).toFixed(3) })
  try {
    const response = await fetch(endpoint, {
      method: 'POST',
      body,
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    })
    const text = await readBounded(response, maxBodyBytes)
    if (!response.ok) throw new Error(`it answered ${response.status}: ${text.slice(0, 300)}`)
    const { data, warnings } = reply.parse(JSON.parse(text))
    // A warning means that a part of the store did not answer: the samples may be too few.
    if (warnings?.length) throw new Error(`it answered in part: ${warnings[0]}`)
    return data.result.map((found) => rawSeries(found, query)).filter((series) => series.samples.length > 0)
  } catch (error) {
    throw new SignalsUnavailableError(
      `Prometheus at ${endpoint.origin} does not answer: ${messageOf(error)}`,
      {
        cause: error,
      },
    )
  }
}

/** `metric{a="b"}[1001ms]`: one more millisecond, as newer versions leave the start of a range out. */
function selectorOf({ metric, labels, startMs, endMs }: SeriesQuery): string {
  if (!metricGrammar.test(metric)) throw new Error(`${metric} is not the name of a metric`)
  const matchers = Object.entries(labels).map(([label, value]) => {
    if (!labelGrammar.test(label)) throw new Error(`${label} is not the name of a label`)
    return `${label}=${JSON.stringify(value)}`
  })
  return `${metric}{${matchers.join(',')}}[${Math.max(1, Math.ceil(endMs - startMs)) + 1}ms]`
}

function rawSeries(
  found: { metric: Record<string, string>; values: [number, string][] },
  window: { startMs: number; endMs: number },
): RawSeries {
  const { __name__: _, ...labels } = found.metric
  const samples = found.values
    .map(([seconds, text]) => ({ atMs: Math.round(seconds * 1000), value: sampleValue(text) }))
    .filter(({ atMs, value }) => atMs >= window.startMs && atMs <= window.endMs && !Number.isNaN(value))
  return { labels, samples }
}

function sampleValue(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY
  return text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text)
}

/** `fetch failed` alone tells nothing; its cause does. */
function messageOf(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error ? `${message}: ${cause.message}` : message
}
