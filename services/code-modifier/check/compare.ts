/** Latencies of one operation, a list for each run of the benchmark, in milliseconds. */
export type Runs = readonly (readonly number[])[]

/** Before and after; see BenchmarkComparison in the contract. */
export interface Comparison {
  readonly operation: string
  readonly samplesBefore: number
  readonly samplesAfter: number
  readonly p95BeforeMs: number
  readonly p95AfterMs: number
  readonly p99BeforeMs: number
  readonly p99AfterMs: number
  readonly meanBeforeMs: number
  readonly meanAfterMs: number
  /** 95 % interval of the relative change of the mean. */
  readonly relativeLow: number
  readonly relativeHigh: number
}

const resamples = 400
const level = 0.95
/** A change beyond this many times is told as this many. */
const mostTimes = 1000

/**
 * Compares an operation before and after. The interval is a percentile bootstrap (Efron 1979) that draws runs first and samples
 * within them next, since samples of one run share its machine and its moment. `random` gives numbers from 0 to below 1.
 * Both sides must hold a sample.
 */
export function compareRuns(operation: string, before: Runs, after: Runs, random: () => number): Comparison {
  const [allBefore, allAfter] = [sorted(before.flat()), sorted(after.flat())]
  const changes = Array.from({ length: resamples }, () =>
    relativeChange(resampledMean(before, random), resampledMean(after, random)),
  )
  const ordered = sorted(changes)
  return {
    operation,
    samplesBefore: allBefore.length,
    samplesAfter: allAfter.length,
    p95BeforeMs: quantile(allBefore, 0.95),
    p95AfterMs: quantile(allAfter, 0.95),
    p99BeforeMs: quantile(allBefore, 0.99),
    p99AfterMs: quantile(allAfter, 0.99),
    meanBeforeMs: mean(allBefore),
    meanAfterMs: mean(allAfter),
    relativeLow: quantile(ordered, (1 - level) / 2),
    relativeHigh: quantile(ordered, (1 + level) / 2),
  }
}

/** The smallest value that at least a share `q` does not exceed. `quantile([1, 2, 3, 4], 0.5)` is 2. Of nothing it is 0. */
export function quantile(ordered: readonly number[], q: number): number {
  return ordered[Math.min(ordered.length - 1, Math.max(0, Math.ceil(q * ordered.length) - 1))] ?? 0
}

/** -0.5 is half of the time. What took no time that the clock can see, and now does, took `mostTimes` as long. */
function relativeChange(before: number, after: number): number {
  if (before > 0) return Math.min(after / before, mostTimes) - 1
  return after > 0 ? mostTimes - 1 : 0
}

function resampledMean(runs: Runs, random: () => number): number {
  let sum = 0
  let count = 0
  for (let draw = 0; draw < runs.length; draw++) {
    const run = runs[Math.floor(random() * runs.length)] ?? []
    for (let sample = 0; sample < run.length; sample++) sum += run[Math.floor(random() * run.length)] ?? 0
    count += run.length
  }
  return count === 0 ? 0 : sum / count
}

function mean(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / Math.max(1, values.length)
}

function sorted(values: readonly number[]): number[] {
  return values.toSorted((a, b) => a - b)
}
