import { type RawSeries, type Sample, type SeriesQuery, upMetric } from './signals.ts'
import type { ExposedSample } from './text-format.ts'

/** Each shortening takes a quarter of the past, so this many leave a tenth. */
const maxShortenings = 8

/** Bounds of what is kept. Changes are what costs memory: about 40 bytes each. */
export interface StoreBounds {
  readonly retentionMs: number
  readonly maxSeries: number
  readonly maxChanges: number
}

/** When the bound on series is met, the scrape that met it is dropped whole: a part of it would look like less traffic. */
export class TooManySeriesError extends Error {
  override readonly name = 'TooManySeriesError'
}

/** From this scrape on the series had this value; NaN: it was not there. */
interface Change {
  readonly scrape: number
  readonly value: number
}

interface Series {
  readonly metric: string
  readonly labels: Readonly<Record<string, string>>
  changes: Change[]
}

/** The scrapes of one target, of which the first kept has the number `firstScrape`. */
interface Target {
  firstScrape: number
  times: number[]
  readonly series: Map<string, Series>
}

/**
 * Samples of some targets, for a while. A series is kept as its changes, so that the many that stand still cost nothing;
 * `series` spells them out again as one sample for each scrape in which they were there.
 */
export class SampleStore {
  readonly #bounds: StoreBounds
  readonly #targets = new Map<string, Target>()
  #seriesCount = 0
  #changeCount = 0

  constructor(bounds: StoreBounds) {
    this.#bounds = bounds
  }

  /** Counts for tests and for the source's own figures. */
  get size(): { readonly series: number; readonly changes: number } {
    return { series: this.#seriesCount, changes: this.#changeCount }
  }

  /** Adds a scrape; `exposed` undefined: it failed. Errors: TooManySeriesError, after which nothing of it is kept. */
  add(instance: string, atMs: number, exposed: readonly ExposedSample[] | undefined): void {
    const target = this.#target(instance)
    const last = target.times.at(-1)
    // A clock that went back would put samples out of order; they wait until it has caught up.
    if (last !== undefined && atMs <= last) return
    const own = (exposed ?? []).filter((sample) => sample.name !== upMetric)
    const samples = new Map(own.map((sample) => [keyOf(sample), sample]))
    if (exposed) this.#makeRoom(target, samples)
    const scrape = target.firstScrape + target.times.length
    target.times.push(atMs)
    for (const [key, sample] of samples) this.#change(target, key, scrape, named(sample, instance))
    this.#change(target, upMetric, scrape, up(instance, exposed !== undefined))
    for (const [key, series] of target.series) {
      if (key !== upMetric && !samples.has(key)) this.#append(series, { scrape, value: Number.NaN })
    }
    this.#forget(target, atMs - this.#bounds.retentionMs)
    if (this.#changeCount > this.#bounds.maxChanges) this.#shorten()
  }

  series(query: SeriesQuery): RawSeries[] {
    const found: RawSeries[] = []
    for (const target of this.#targets.values()) {
      for (const series of target.series.values()) {
        if (series.metric !== query.metric || !matches(series.labels, query.labels)) continue
        const samples = spellOut(target, series, query)
        if (samples.length > 0) found.push({ labels: series.labels, samples })
      }
    }
    return found
  }

  #target(instance: string): Target {
    const known = this.#targets.get(instance)
    if (known) return known
    const target: Target = { firstScrape: 0, times: [], series: new Map() }
    this.#targets.set(instance, target)
    return target
  }

  /** Series that ended take room until they are forgotten, so the past is made shorter first. */
  #makeRoom(target: Target, samples: ReadonlyMap<string, unknown>): void {
    let fresh = target.series.has(upMetric) ? 0 : 1
    for (const key of samples.keys()) if (!target.series.has(key)) fresh += 1
    for (let attempt = 0; attempt < maxShortenings; attempt += 1) {
      if (this.#seriesCount + fresh <= this.#bounds.maxSeries) return
      this.#shorten()
    }
    throw new TooManySeriesError(`there would be more than ${this.#bounds.maxSeries} series`)
  }

  #change(
    target: Target,
    key: string,
    scrape: number,
    series: Omit<Series, 'changes'> & { value: number },
  ): void {
    let known = target.series.get(key)
    if (!known) {
      known = { metric: series.metric, labels: series.labels, changes: [] }
      target.series.set(key, known)
      this.#seriesCount += 1
    }
    this.#append(known, { scrape, value: series.value })
  }

  #append(series: Series, change: Change): void {
    const last = series.changes.at(-1)
    if (last ? Object.is(last.value, change.value) : Number.isNaN(change.value)) return
    series.changes.push(change)
    this.#changeCount += 1
  }

  /** Drops what is older than `beforeMs`, a batch at a time, as moving the rest costs more than a few samples too many. */
  #forget(target: Target, beforeMs: number): void {
    const old = target.times.findIndex((atMs) => atMs >= beforeMs)
    if (old < 1 || old < target.times.length / 16) return
    this.#dropScrapes(target, old)
  }

  #dropScrapes(target: Target, count: number): void {
    target.times = target.times.slice(count)
    target.firstScrape += count
    for (const [key, series] of target.series) {
      const kept = series.changes.findLastIndex((change) => change.scrape <= target.firstScrape)
      if (kept > 0) series.changes = series.changes.slice(kept)
      this.#changeCount -= Math.max(0, kept)
      const only = series.changes.length <= 1 ? series.changes[0] : undefined
      if (series.changes.length > 0 && !(only && Number.isNaN(only.value))) continue
      this.#changeCount -= series.changes.length
      target.series.delete(key)
      this.#seriesCount -= 1
    }
  }

  /** Too much change for the memory: the past becomes shorter, for all alike, by a quarter. */
  #shorten(): void {
    for (const target of this.#targets.values()) this.#dropScrapes(target, Math.ceil(target.times.length / 4))
  }
}

function spellOut(target: Target, series: Series, window: { startMs: number; endMs: number }): Sample[] {
  const samples: Sample[] = []
  const { times, firstScrape } = target
  const start = firstAtLeast(times.length, (index) => times[index] ?? 0, window.startMs)
  let next = firstAtLeast(
    series.changes.length,
    (index) => series.changes[index]?.scrape ?? 0,
    firstScrape + start + 1,
  )
  let value = series.changes[next - 1]?.value ?? Number.NaN
  for (let index = start; index < times.length; index += 1) {
    const atMs = times[index] ?? 0
    if (atMs > window.endMs) break
    const change = series.changes[next]
    if (change && change.scrape <= firstScrape + index) {
      value = change.value
      next += 1
    }
    if (!Number.isNaN(value)) samples.push({ atMs, value })
  }
  return samples
}

/** The first index from 0 to `length` whose value is at least `wanted`; the values ascend. */
function firstAtLeast(length: number, valueAt: (index: number) => number, wanted: number): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (valueAt(middle) < wanted) low = middle + 1
    else high = middle
  }
  return low
}

function matches(
  labels: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): boolean {
  for (const name in wanted) if ((labels[name] ?? '') !== wanted[name]) return false
  return true
}

function keyOf(sample: ExposedSample): string {
  return JSON.stringify([sample.name, ...Object.entries(sample.labels).sort(([a], [b]) => (a < b ? -1 : 1))])
}

/** As Prometheus does it: the target's own `instance` label makes way for that of the scrape. */
function named(sample: ExposedSample, instance: string) {
  const { instance: exported, ...labels } = sample.labels
  const renamed = exported === undefined ? labels : { ...labels, exported_instance: exported }
  return { metric: sample.name, labels: { ...renamed, instance }, value: sample.value }
}

function up(instance: string, succeeded: boolean) {
  return { metric: upMetric, labels: { instance }, value: succeeded ? 1 : 0 }
}
