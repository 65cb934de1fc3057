import { meanOf, medianOf } from '../services/platform/statistics/order.ts'
import { type Cell, lateSecond, ownCells, sharedCells } from './canary/cells.ts'
import { latencyCells, rollOutLatency } from './canary/latency.ts'
import { alpha, type Rollout, rollOutOurs } from './canary/ours.ts'
import { rollOutTheirs } from './canary/theirs.ts'
import type { Bench } from './main.ts'
import { argo } from './peers/argo.ts'
import { flagger } from './peers/flagger.ts'
import { kayenta } from './peers/kayenta.ts'

const rollouts = 10_000
const latencyRollouts = 200

/** What many rollouts of one cell came to. */
interface Result {
  readonly aborted: number
  /** Of all rollouts; NaN when fewer than half were aborted. */
  readonly medianSeconds: number
  readonly meanExcess: number
}

type Peer = readonly [figure: string, run: (cell: Cell, seed: number) => Rollout]

const judges: readonly Peer[] = [
  ['nexus', rollOutOurs],
  ['argo', (cell, seed) => rollOutTheirs(cell, seed, argo())],
  ['argo_limit2', (cell, seed) => rollOutTheirs(cell, seed, argo({ failureLimit: 2 }))],
  ['flagger', (cell, seed) => rollOutTheirs(cell, seed, flagger())],
  ['kayenta', (cell, seed) => rollOutTheirs(cell, seed, kayenta())],
  ['kayenta_5min', (cell, seed) => rollOutTheirs(cell, seed, kayenta({ judgeEveryS: 300 }))],
]

/**
 * False rollbacks and the time to a true one, in simulation. NEXUS looks every second at alpha = 1 % for a quarter of an hour;
 * seeds are 0, 1, 2 …, one a rollout, so every run prints the same.
 */
export const run: Bench = async (print) => {
  print(
    `alpha ${100 * alpha} %, ${rollouts} rollouts a cell, base error rate 0.5 %, 900 s, a look every second`,
  )
  print('\n1000 requests a second, 5 % to the canary; an hour of history unless said otherwise')
  const own = results(ownCells, print, rollOutOurs)
  print(
    '\nLatency (lognormal, sigma 0.5), 200 requests a second, 25 % to the canary, five minutes of history',
  )
  const slow = results(latencyCells, print, rollOutLatency, latencyRollouts)
  const figures: Record<string, number> = {
    false_rollback: own.equal.aborted,
    false_rollback_shared: own.shared.aborted,
    false_rollback_bursty: own.bursty.aborted,
    median_s_2x: own.twofold.medianSeconds,
    median_s_10x: own.tenfold.medianSeconds,
    median_s_late_6x: own.late.medianSeconds - lateSecond,
    false_rollback_bursty_unknown: own.burstyUnknown.aborted,
    median_s_2x_unknown: own.twofoldUnknown.medianSeconds,
    median_s_10x_unknown: own.tenfoldUnknown.medianSeconds,
    false_rollback_latency: Math.max(slow.equal.aborted, slow.tight.aborted),
    median_s_latency_1_3x: slow.slower13.medianSeconds,
    median_s_latency_1_5x: slow.slower15.medianSeconds,
  }
  for (const [name, run] of judges) {
    print(`\n100 requests a second at 10, 25, 50 %, 300 s each: ${name}`)
    Object.assign(figures, peerFigures(name, results(sharedCells, print, run)))
  }
  return Object.fromEntries(Object.entries(figures).filter(([, value]) => Number.isFinite(value)))
}

/** NEXUS's own figures have no prefix; those of the first setting stand for it where both have one. */
function peerFigures(name: string, result: Record<keyof typeof sharedCells, Result>) {
  const excess = {
    excess_errors: result.tenfold.meanExcess,
    excess_errors_2x: result.twofold.meanExcess,
    excess_errors_late_6x: result.late.meanExcess,
  }
  if (name === 'nexus') {
    const { lowEqual, lowTenfold, twofold, tenfold } = result
    return {
      ...excess,
      false_rollback_low: lowEqual.aborted,
      median_s_low_10x: lowTenfold.medianSeconds,
      stepped_median_s_2x: twofold.medianSeconds,
      stepped_median_s_10x: tenfold.medianSeconds,
    }
  }
  const all = {
    false_rollback: result.equal.aborted,
    false_rollback_shared: result.shared.aborted,
    false_rollback_bursty: result.bursty.aborted,
    false_rollback_low: result.lowEqual.aborted,
    caught_2x: result.twofold.aborted,
    median_s_2x: result.twofold.medianSeconds,
    median_s_10x: result.tenfold.medianSeconds,
    ...excess,
  }
  return Object.fromEntries(Object.entries(all).map(([figure, value]) => [`${name}_${figure}`, value]))
}

function results<C extends { readonly name: string }, K extends string>(
  cells: Readonly<Record<K, C>>,
  print: (line: string) => void,
  run: (cell: C, seed: number) => Rollout,
  count = rollouts,
): Record<K, Result> {
  print('                                    aborted   median s   excess failed')
  const entries = Object.entries<C>(cells).map(([key, cell]) => {
    const result = resultOf(Array.from({ length: count }, (_, seed) => run(cell, seed)))
    print(row(cell.name, result))
    return [key, result]
  })
  return Object.fromEntries(entries) as Record<K, Result>
}

function resultOf(all: readonly Rollout[]): Result {
  const median = medianOf(all.map(({ abortedAt }) => abortedAt))
  return {
    aborted: all.filter(({ abortedAt }) => Number.isFinite(abortedAt)).length / all.length,
    medianSeconds: Number.isFinite(median) ? median : Number.NaN,
    meanExcess: meanOf(all.map(({ excess }) => excess)),
  }
}

function row(name: string, { aborted, medianSeconds, meanExcess }: Result): string {
  const median = Number.isNaN(medianSeconds) ? '–' : medianSeconds.toFixed(0)
  return `${name.padEnd(34)} ${`${(100 * aborted).toFixed(2)} %`.padStart(8)} ${median.padStart(10)} ${meanExcess.toFixed(1).padStart(15)}`
}
