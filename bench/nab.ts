import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { membersOf, type Tier } from '../services/meta-controller/analysis/detection/ensemble.ts'
import { dataFolder, MissingDataError } from './data.ts'
import type { Bench } from './main.ts'
import { readCorpus, type Series } from './nab/corpus.ts'
import { bestThreshold, categoriesOf, choose, foldsOf, heldOut, seed } from './nab/nested.ts'
import { normalOperation } from './nab/normal.ts'
import { publishedScores } from './nab/published.ts'
import { detect, detectApart, rowScores, writeScores } from './nab/run.ts'
import {
  type Field,
  fieldOf,
  lowFalseNegatives,
  lowFalsePositives,
  type Sweep,
  standard,
  sweep,
} from './nab/scorer.ts'

type Print = (line: string) => void

/**
 * The sums at which the alarm policy alarms, one for all series, as NAB's procedure has it: chosen on the series that the
 * project has. `nested` and the lines below it show what a choice on other series is worth.
 */
const thresholds: Readonly<Record<Tier, number>> = { full: 6.75, fast: 5 }

/** The Numenta Anomaly Benchmark (numenta/NAB at ea702d7), and false alarms on PetShop's normal operation. */
export const run: Bench = async (print, options) => {
  const corpus = await readCorpus()
  const fields = corpus.map(fieldOf)
  const rows = corpus.reduce((sum, { values }) => sum + values.length, 0)
  print(
    `${corpus.length} series, ${rows} rows, ${fields.reduce((sum, each) => sum + each.windows, 0)} windows`,
  )
  print('detector                     standard  low FP  low FN   found  false alarms  points/s')
  const full = measure(corpus, fields, 'full', print)
  const fast = measure(corpus, fields, 'fast', print)
  if (options.scores !== undefined) writeScores(options.scores, corpus, full.scores)
  await printPublished(corpus, fields, print)
  const nested = printHeldOut(corpus, fields, print)
  const normal = await whereThere(() => normalOperation(print), print)
  return {
    standard: full.standard.score,
    low_fp: full.lowFalsePositives.score,
    low_fn: full.lowFalseNegatives.score,
    nested,
    points_per_s: full.pointsPerSecond,
    fast_standard: fast.standard.score,
    fast_points_per_s: fast.pointsPerSecond,
    ...normal,
  }
}

/** PetShop is another data set: without it NAB is measured all the same. */
async function whereThere(
  measuring: () => Promise<Record<string, number>>,
  print: Print,
): Promise<Record<string, number>> {
  try {
    return await measuring()
  } catch (error) {
    if (!(error instanceof MissingDataError)) throw error
    print(`normal operation not measured: ${error.message}`)
    return {}
  }
}

interface Result {
  readonly standard: Sweep
  readonly lowFalsePositives: Sweep
  readonly lowFalseNegatives: Sweep
}

function measure(corpus: readonly Series[], fields: readonly Field[], tier: Tier, print: Print) {
  const { sums, pointsPerSecond } = detect(corpus, membersOf(tier))
  const scores = sums.map((each) => rowScores(each, thresholds[tier]))
  const result = judge(fields, scores)
  printRow(print, tier === 'full' ? 'nexus' : 'nexus, fast tier', result, pointsPerSecond)
  return { ...result, scores, pointsPerSecond }
}

function judge(fields: readonly Field[], scores: readonly ArrayLike<number>[]): Result {
  const all = fields.map((field, index) => ({ field, scores: scores[index]! }))
  return {
    standard: sweep(all, standard),
    lowFalsePositives: sweep(all, lowFalsePositives),
    lowFalseNegatives: sweep(all, lowFalseNegatives),
  }
}

function printRow(print: Print, title: string, result: Result, pointsPerSecond?: number): void {
  const { standard: own } = result
  const scores = [own, result.lowFalsePositives, result.lowFalseNegatives]
    .map(({ score }) => score.toFixed(2).padStart(8))
    .join('')
  const alarms = `${String(own.found).padStart(4)}/${own.windows} ${String(own.falseAlarms).padStart(12)}`
  const speed = pointsPerSecond === undefined ? '' : `${Math.round(pointsPerSecond)}`.padStart(10)
  print(`${title.padEnd(28)} ${scores} ${alarms} ${speed}`)
}

/** Detectors whose row scores lie beside the data, on the same series by the same scorer; and what the benchmark's own site says on all 58. */
async function printPublished(corpus: readonly Series[], fields: readonly Field[], print: Print) {
  for (const { detector, scores } of await publishedScores(corpus))
    printRow(print, `${detector}, as published`, judge(fields, scores))
  const file = path.join(dataFolder(), 'nab/published_results.json')
  if (!existsSync(file)) return
  const published = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, number>>
  print('published on all 58 series:')
  const ranked = Object.entries(published).sort(([, a], [, b]) => (b.standard ?? 0) - (a.standard ?? 0))
  for (const [detector, own] of ranked) {
    const scores = [own.standard, own.reward_low_FP_rate, own.reward_low_FN_rate]
    print(
      `  ${detector.padEnd(26)} ${scores.map((score) => (score ?? Number.NaN).toFixed(2).padStart(8)).join('')}`,
    )
  }
}

/** How much of the score is choice: what is chosen without the series that it is scored on. Gives the nested standard score. */
function printHeldOut(corpus: readonly Series[], fields: readonly Field[], print: Print): number {
  const members = membersOf('full')
  const material = { corpus, fields, apart: detectApart(corpus, members) }
  const own = members.map(({ weight }) => weight)
  const folds = foldsOf(corpus.length)
  const categories = categoriesOf(corpus)
  const fixed = heldOut(material, folds, (all, series) => bestThreshold(all, series, own))
  const nested = heldOut(material, folds, choose)
  const away = heldOut(material, [...categories.values()], (all, series) => bestThreshold(all, series, own))
  const show = (values: readonly number[]) => values.map((value) => value.toFixed(1)).join(' ')
  print(`held out, standard (5 folds of series, seed ${seed}):`)
  print(`  threshold                   ${fixed.score.toFixed(2)}   folds ${show(fixed.parts)}`)
  print(`  members, weights, threshold ${nested.score.toFixed(2)}   folds ${show(nested.parts)}`)
  print(`threshold chosen on the other categories, standard ${away.score.toFixed(2)}:`)
  ;[...categories.keys()].forEach((category, index) => {
    print(`  ${category.padEnd(26)} ${away.parts[index]!.toFixed(2)}`)
  })
  return nested.score
}
