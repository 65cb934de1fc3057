import { meanOf } from '../../platform/statistics/order.ts'
import { type EffectEstimate, estimateEffect } from './causal/estimate.ts'
import type { EffectInput } from './causal/sample.ts'
import { type Effect, effectOfBenchmark, type OperationComparison } from './effect.ts'

/** Consecutive samples of one operation in one run of the benchmark; see BenchmarkSlice in code-modifier's contract. */
export interface Slice {
  readonly round: number
  readonly changed: boolean
  readonly first: boolean
  readonly place: number
  readonly samples: number
  readonly meanMs: number
}

/** An operation of the benchmark, with the slices that its comparison rests on. */
export interface SlicedComparison extends OperationComparison {
  readonly slices: readonly Slice[]
}

/** Both versions under the same traffic for some seconds; `stable` and `canary` are the metric's values, undefined where there is none. */
export interface ComparedValues {
  readonly startSeconds: number
  readonly weightPercent: number
  readonly stable: number | undefined
  readonly canary: number | undefined
}

/** Each round has both sides, and which comes first is drawn by lot. */
const evenOdds = 0.5

/**
 * The effect on the mean time of a request as the benchmark mixes its operations: a switchback experiment whose slots are the runs.
 * Each row is a slice of a run over all operations, as a multiple of the time that they take before; rounds are the blocks. Where rows
 * are too few for AIPW it is the ratio with its bootstrap interval, as in `effectOfBenchmark`.
 * Example: 3 rounds in which each slice takes 6 of 10 ms after the change: −0.4.
 */
export function effectOfRounds(comparisons: readonly SlicedComparison[], seed: number): Effect {
  const plain = effectOfBenchmark(comparisons)
  const rows = rowsOfRounds(comparisons)
  const estimated = estimateEffect({
    treatment: rows.map((row) => row.changed),
    outcome: rows.map((row) => row.time),
    covariates: rows.map((row) => [row.first ? 1 : 0, row.place]),
    propensity: rows.map(() => evenOdds),
    blocks: rows.map((row) => row.round),
    seed,
  })
  return estimated.kind === 'effect' ? effectOfEstimate(estimated, plain) : plain
}

interface RoundRow {
  readonly round: number
  readonly changed: boolean
  readonly first: boolean
  readonly place: number
  /** As a multiple of the mean time before. */
  readonly time: number
}

/** Slices of the same place in the same run, over all operations; only those that each operation has. */
function rowsOfRounds(comparisons: readonly SlicedComparison[]): RoundRow[] {
  const used = comparisons.filter((one) => one.meanBeforeMs > 0 && one.samplesBefore > 0)
  const total = used.reduce((sum, one) => sum + one.meanBeforeMs * one.samplesBefore, 0)
  const groups = new Map<string, { slice: Slice; time: number; operations: number }>()
  for (const { slices, samplesBefore } of used)
    for (const slice of slices) {
      const key = `${slice.round} ${slice.changed} ${slice.place}`
      const known = groups.get(key) ?? { slice, time: 0, operations: 0 }
      const time = known.time + (slice.meanMs * samplesBefore) / total
      groups.set(key, { slice, time, operations: known.operations + 1 })
    }
  return [...groups.values()]
    .filter(({ operations }) => operations === used.length)
    .map(({ slice: { round, changed, first, place }, time }) => ({ round, changed, first, place, time }))
    .sort((a, b) => a.round - b.round || Number(b.first) - Number(a.first) || a.place - b.place)
}

/**
 * The effect that a canary measured on a metric, relative to stable: each slot has both versions under the same traffic, and the
 * splitter's lot says which version a request meets. Undefined where slots are too few, or stable's values are zero.
 * Example: 40 slots in which the canary's p95 is about 8 ms beside stable's 40 ms: −0.8.
 */
export function effectOfCanary(slots: readonly ComparedValues[], seed: number): Effect | undefined {
  const pairs = slots.filter(
    (slot): slot is ComparedValues & { stable: number; canary: number } =>
      slot.stable !== undefined &&
      slot.canary !== undefined &&
      slot.weightPercent > 0 &&
      slot.weightPercent < 100,
  )
  const reference = meanOf(pairs.map((slot) => slot.stable))
  if (!(reference > 0)) return undefined
  const input: EffectInput = {
    treatment: pairs.flatMap(() => [0, 1]),
    outcome: pairs.flatMap((slot) => [slot.stable / reference, slot.canary / reference]),
    covariates: pairs.flatMap((slot) => Array(2).fill([slot.weightPercent / 100, slot.startSeconds])),
    propensity: pairs.flatMap(() => [evenOdds, evenOdds]),
    blocks: pairs.flatMap((_, index) => [index, index]),
    seed,
  }
  const estimated = estimateEffect(input)
  if (estimated.kind === 'refused') return undefined
  return effectOfEstimate(estimated, { origin: 'experience', observations: pairs.length })
}

function effectOfEstimate(
  estimated: EffectEstimate,
  { origin, observations }: Pick<Effect, 'origin' | 'observations'>,
): Effect {
  const { estimate, low, high, refutations, eValue, robustnessValue } = estimated
  const told = { method: 'aipw' as const, refutations, eValue, robustnessValue }
  return { estimate, low, high, origin, observations, ...told }
}
