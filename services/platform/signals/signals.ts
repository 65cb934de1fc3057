/**
 * Raw counter samples by metric and labels: the lowest level of telemetry. What they mean is in `golden.ts` and `edges.ts`,
 * which therefore give the same answer over both implementations: `signals.embedded.ts` and `signals.prometheus.ts`.
 */
export interface SignalSource {
  /**
   * The series of `metric` whose labels equal all of `labels` (an empty value: the label is absent), with their samples
   * from `startMs` to `endMs`, both inclusive. Errors: SignalsUnavailableError, within a bounded time.
   */
  series(query: SeriesQuery): Promise<readonly RawSeries[]>
  /** Idempotent. */
  close(): Promise<void>
}

export interface SeriesQuery {
  readonly metric: string
  readonly labels: Readonly<Record<string, string>>
  readonly startMs: number
  readonly endMs: number
}

/** One series. Samples are as scraped (a counter that restarted falls), oldest first, never NaN; where a scrape failed there is none. */
export interface RawSeries {
  /** All labels but the metric's name; `instance` is the `host:port` that was scraped. */
  readonly labels: Readonly<Record<string, string>>
  readonly samples: readonly Sample[]
}

export interface Sample {
  readonly atMs: number
  readonly value: number
}

/** The source cannot answer now, or not completely. Missing evidence is never "no traffic". */
export class SignalsUnavailableError extends Error {
  override readonly name = 'SignalsUnavailableError'
}

/** Prometheus's own series about each scrape: 1 when it succeeded, 0 when not. The embedded source has it too. */
export const upMetric = 'up'
