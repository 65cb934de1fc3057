import type { RawSeries, SignalSource } from './signals.ts'
import { upMetric } from './signals.ts'

/** Time cut into equal slots `[startMs, startMs + slotMs)`, …; the last ends at `endMs`. */
export interface Grid {
  readonly startMs: number
  readonly endMs: number
  readonly slotMs: number
}

/** The scrapes of one target: when, and whether they succeeded; in order. */
export interface Scrape {
  readonly atMs: number
  readonly succeeded: boolean
}

/** Series of one target with its scrapes. */
export interface TargetSeries {
  readonly scrapes: readonly Scrape[]
  readonly series: readonly RawSeries[]
}

/** How far before a window samples are read: the first increment of a window needs the sample before it. Serves scrape intervals up to a minute. */
export const lookbackMs = 120_000

export const maxSlots = 10_000
const maxScrapedTargets = 500
const targetsAtOnce = 10

/** Errors: RangeError for a grid without slots or with too many. */
export function slotCountOf({ startMs, endMs, slotMs }: Grid): number {
  const count = Math.ceil((endMs - startMs) / slotMs)
  if (!(slotMs > 0) || !(count >= 1 && count <= maxSlots)) {
    throw new RangeError(
      `a window of ${endMs - startMs} ms in slots of ${slotMs} ms must have 1 to ${maxSlots} slots`,
    )
  }
  return count
}

/** Reads the series of a metric for a window and groups them by the target they were scraped from. */
export async function readTargets(
  source: SignalSource,
  query: { metric: string; labels: Readonly<Record<string, string>> },
  window: { startMs: number; endMs: number },
): Promise<TargetSeries[]> {
  const range = { startMs: window.startMs - lookbackMs, endMs: window.endMs }
  const found = await source.series({ ...query, ...range })
  const groups = [
    ...Map.groupBy(found, ({ labels }) => JSON.stringify([labels.job, labels.instance])).values(),
  ]
  if (groups.length > maxScrapedTargets) {
    throw new RangeError(
      `${query.metric} comes from more than ${maxScrapedTargets} targets: narrow the query`,
    )
  }
  const targets: TargetSeries[] = []
  for (let start = 0; start < groups.length; start += targetsAtOnce) {
    const batch = groups.slice(start, start + targetsAtOnce)
    targets.push(...(await Promise.all(batch.map((series) => withScrapes(source, series, range)))))
  }
  return targets
}

async function withScrapes(
  source: SignalSource,
  series: readonly RawSeries[],
  range: { startMs: number; endMs: number },
): Promise<TargetSeries> {
  const { job, instance } = series[0]?.labels ?? {}
  const labels = { ...(job !== undefined && { job }), ...(instance !== undefined && { instance }) }
  const up = instance === undefined ? [] : await source.series({ metric: upMetric, labels, ...range })
  const scrapes = up.flatMap(({ samples }) =>
    samples.map(({ atMs, value }) => ({ atMs, succeeded: value === 1 })),
  )
  if (scrapes.length > 0) return { series, scrapes: scrapes.sort((a, b) => a.atMs - b.atMs) }
  // Samples that came by another way than a scrape have no `up`: then they are themselves the proof of one.
  const times = new Set(series.flatMap(({ samples }) => samples.map(({ atMs }) => atMs)))
  return { series, scrapes: [...times].sort((a, b) => a - b).map((atMs) => ({ atMs, succeeded: true })) }
}

/**
 * By how much a counter grew in each slot. An increment counts where the later of its two samples lies, so whole counts
 * stay whole and adjoining windows neither lose nor repeat any. A counter that falls has restarted from 0 (as in
 * Prometheus), and so has one that appears where an earlier scrape of its target did not show it: the first error of a
 * kind is such a counter, and `increase()` misses it.
 */
export function incrementsBySlot(series: RawSeries, scrapes: readonly Scrape[], grid: Grid): number[] {
  const increments = new Array<number>(slotCountOf(grid)).fill(0)
  let previous: { atMs: number; value: number } | undefined
  let scrape = 0
  for (const sample of series.samples) {
    let shownAbsent = false
    for (; (scrapes[scrape]?.atMs ?? Number.POSITIVE_INFINITY) < sample.atMs; scrape += 1) {
      const { atMs, succeeded } = scrapes[scrape] as Scrape
      if (succeeded && atMs > (previous?.atMs ?? Number.NEGATIVE_INFINITY)) shownAbsent = true
    }
    const slot = Math.floor((sample.atMs - grid.startMs) / grid.slotMs)
    const from = shownAbsent ? 0 : previous?.value
    if (from !== undefined && slot >= 0 && slot < increments.length && sample.atMs < grid.endMs) {
      increments[slot] = (increments[slot] ?? 0) + (sample.value >= from ? sample.value - from : sample.value)
    }
    previous = sample
  }
  return increments
}
