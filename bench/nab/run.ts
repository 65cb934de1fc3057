import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { AlarmPolicy } from '../../services/meta-controller/analysis/detection/alarm.ts'
import {
  calibrated,
  createEnsemble,
  type Member,
} from '../../services/meta-controller/analysis/detection/ensemble.ts'
import type { Series } from './corpus.ts'

/** The rest period: 100 rows, or 3 % of the rows so far where that is more. */
export const rest = { slots: 100, share: 0.03 }

export interface Pass {
  /** The ensemble's sum for each row of each series. */
  readonly sums: readonly Float64Array[]
  /** Rows per second of processor time. */
  readonly pointsPerSecond: number
}

/** Runs a fresh ensemble over each series, row by row; a value that is no number scores 0 and is not shown to it. */
export function detect(corpus: readonly Series[], members: readonly Member[]): Pass {
  const before = process.cpuUsage()
  const sums = corpus.map((series) => streamOf(series, createEnsemble(members)))
  const { user, system } = process.cpuUsage(before)
  const rows = corpus.reduce((sum, { values }) => sum + values.length, 0)
  return { sums, pointsPerSecond: (rows * 1e6) / Math.max(1, user + system) }
}

/** The calibrated scores of each member alone, by member and series: the ensemble's sum before it is summed. */
export function detectApart(corpus: readonly Series[], members: readonly Member[]): Float64Array[][] {
  return members.map(({ create }) => corpus.map((series) => streamOf(series, calibrated(create()))))
}

function streamOf({ values, atMs }: Series, detector: ReturnType<typeof calibrated>): Float64Array {
  return values.map((value, row) =>
    Number.isFinite(value) ? detector.update(value, atMs[row] as number) : 0,
  )
}

/** Rows that the alarm policy lets through, at that threshold. */
export function alarmRows(sums: ArrayLike<number>, threshold: number): number[] {
  const policy = new AlarmPolicy(threshold, rest)
  const rows: number[] = []
  for (let row = 0; row < sums.length; row++) if (policy.update(sums[row] as number)) rows.push(row)
  return rows
}

/** What is handed to the scorer: the sum where it is an alarm, 0 while silent, else its share of the threshold. */
export function rowScores(sums: Float64Array, threshold: number): Float64Array {
  const policy = new AlarmPolicy(threshold, rest)
  return sums.map((sum) => {
    const silent = policy.resting
    if (policy.update(sum)) return sum
    return silent ? 0 : sum / threshold
  })
}

/** Writes `<folder>/<category>/<name>.csv` for each series: timestamp, value, anomaly_score. */
export function writeScores(
  folder: string,
  corpus: readonly Series[],
  scores: readonly ArrayLike<number>[],
): void {
  corpus.forEach(({ name, timestamps, texts }, index) => {
    const file = path.join(folder, name)
    mkdirSync(path.dirname(file), { recursive: true })
    const rows = timestamps.map((timestamp, row) => `${timestamp},${texts[row]},${scores[index]?.[row]}`)
    writeFileSync(file, `timestamp,value,anomaly_score\n${rows.join('\n')}\n`)
  })
}
