import type { Series, Window } from './corpus.ts'

/** What a detection is worth, as NAB's profiles.json has it. */
export interface Profile {
  readonly truePositive: number
  readonly falsePositive: number
  readonly falseNegative: number
}

export const standard: Profile = { truePositive: 1, falsePositive: 0.11, falseNegative: 1 }
export const lowFalsePositives: Profile = { truePositive: 1, falsePositive: 0.22, falseNegative: 1 }
export const lowFalseNegatives: Profile = { truePositive: 1, falsePositive: 0.11, falseNegative: 2 }

/** The rows of one series with the worth of a detection at each, fixed by the labels alone. */
export interface Field {
  /** First row that is scored. */
  readonly from: number
  /** In a window: sigma of the place, 0 to 1. Outside: -1 to 0, to be weighed by the profile's false positive. */
  readonly worth: Float64Array
  /** Which window the row is in; -1 outside. */
  readonly window: Int32Array
  readonly windows: number
}

const probationShare = 0.15
const longestProbation = 750
/** NAB computes sigma up to there and takes -1 beyond. */
const farthest = 3

/** How many rows at the start are not scored: 15 %, at most 750. */
export function probationOf(rows: number): number {
  return Math.min(Math.floor(probationShare * rows), longestProbation)
}

export function fieldOf({ values, windows }: Pick<Series, 'values' | 'windows'>): Field {
  const worth = new Float64Array(values.length).fill(-1)
  const window = new Int32Array(values.length).fill(-1)
  windows.forEach(({ first, last }, index) => {
    for (let row = first; row <= last; row++) window[row] = index
  })
  const sorted = windows.toSorted((a, b) => a.first - b.first)
  for (let row = 0; row < values.length; row++) worth[row] = worthOf(row, sorted)
  return { from: probationOf(values.length), worth, window, windows: windows.length }
}

function worthOf(row: number, windows: readonly Window[]): number {
  const inside = windows.find(({ first, last }) => row >= first && row <= last)
  if (inside !== undefined) {
    const width = inside.last - inside.first + 1
    return sigma(-(inside.last - row + 1) / width) / sigma(-1)
  }
  const before = windows.findLast(({ last }) => last < row)
  if (before === undefined) return -1
  const place = (row - before.last) / (before.last - before.first)
  return place > farthest ? -1 : sigma(place)
}

/** 1 far before, 0 at the end of a window, -1 far after. */
function sigma(place: number): number {
  return 2 / (1 + Math.exp(5 * place)) - 1
}

export interface Sweep {
  /** 0 is no detection at all, 100 is every window at its first row and nothing else. */
  readonly score: number
  readonly threshold: number
  readonly found: number
  readonly windows: number
  readonly falseAlarms: number
}

/** One series' part of a sweep. */
export interface Scored {
  readonly field: Field
  readonly scores: ArrayLike<number>
}

/**
 * NAB's score under the one threshold for all series that is best for them, found by trying every score that occurs: rows
 * at or above it are detections; the best of a window counts, each outside costs.
 */
export function sweep(all: readonly Scored[], profile: Profile): Sweep {
  const rows = rowsByScore(all)
  const windows = all.reduce((sum, { field }) => sum + field.windows, 0)
  const least = -windows * profile.falseNegative
  const scale = windows * (profile.truePositive + profile.falseNegative)
  const tally = new Tally(
    all.map(({ field }) => field),
    profile,
  )
  let best: Sweep = { score: 0, threshold: Number.POSITIVE_INFINITY, found: 0, windows, falseAlarms: 0 }
  let bestSum = least
  for (let at = 0; at < rows.order.length; at++) {
    const place = rows.order[at] as number
    const score = rows.score[place] as number
    tally.add(rows.series[place] as number, rows.row[place] as number)
    const next = rows.order[at + 1]
    if (next !== undefined && rows.score[next] === score) continue
    if (tally.sum <= bestSum) continue
    bestSum = tally.sum
    best = { ...best, threshold: score, found: tally.found, falseAlarms: tally.falseAlarms }
  }
  return { ...best, score: scale > 0 ? (100 * (bestSum - least)) / scale : 0 }
}

/** The score of given detections before it is normalised to 0 to 100, so that parts of a corpus add up. */
export function rawScore(
  all: readonly { readonly field: Field; readonly rows: readonly number[] }[],
  profile: Profile,
): { sum: number; least: number; scale: number } {
  const fields = all.map(({ field }) => field)
  const tally = new Tally(fields, profile)
  all.forEach(({ field, rows }, series) => {
    for (const row of rows) if (row >= field.from) tally.add(series, row)
  })
  const windows = fields.reduce((sum, field) => sum + field.windows, 0)
  return {
    sum: tally.sum,
    least: -windows * profile.falseNegative,
    scale: windows * (profile.truePositive + profile.falseNegative),
  }
}

/** Adds detections up, in any order. */
class Tally {
  readonly #fields: readonly Field[]
  readonly #profile: Profile
  readonly #best: Float64Array[]
  sum = 0
  found = 0
  falseAlarms = 0

  constructor(fields: readonly Field[], profile: Profile) {
    this.#fields = fields
    this.#profile = profile
    this.#best = fields.map((field) => new Float64Array(field.windows).fill(-1))
    for (const field of fields) this.sum -= field.windows * profile.falseNegative
  }

  add(series: number, row: number): void {
    const field = this.#fields[series]!
    const window = field.window[row] as number
    const worth = field.worth[row] as number
    if (window < 0) {
      this.sum += worth * this.#profile.falsePositive
      this.falseAlarms += 1
      return
    }
    const best = this.#best[series]!
    const before = best[window] as number
    if (worth <= before) return
    if (before < 0) {
      this.found += 1
      this.sum += this.#profile.falseNegative
    }
    this.sum += (worth - Math.max(0, before)) * this.#profile.truePositive
    best[window] = worth
  }
}

/** Every scored row, ordered by score from the highest down. */
function rowsByScore(all: readonly Scored[]) {
  const count = all.reduce((sum, { field, scores }) => sum + Math.max(0, scores.length - field.from), 0)
  const score = new Float64Array(count)
  const series = new Int32Array(count)
  const row = new Int32Array(count)
  let place = 0
  all.forEach(({ field, scores }, index) => {
    for (let at = field.from; at < scores.length; at++, place++) {
      score[place] = scores[at] as number
      series[place] = index
      row[place] = at
    }
  })
  const order = Uint32Array.from({ length: count }, (_, index) => index)
  order.sort((a, b) => (score[b] as number) - (score[a] as number))
  return { score, series, row, order }
}
