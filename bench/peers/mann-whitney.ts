import { normalQuantile } from '../../services/platform/statistics/normal.ts'

/** Where `experiment` lies relative to `control`: the shift's Hodges-Lehmann estimate and its confidence interval. */
export interface Shift {
  readonly estimate: number
  readonly lower: number
  readonly upper: number
}

/** All observations are tied: there is no interval. */
export class TiedObservationsError extends Error {
  override readonly name = 'TiedObservationsError'
}

/** Absolute accuracy of the roots, as Kayenta's judge and R's wilcox.test have it. */
const tolerance = 1e-4
const maxSteps = 1000

/**
 * The shift between two samples by the Mann-Whitney statistic with normal approximation, correction for ties and for
 * continuity: R's `wilcox.test(experiment, control, exact = FALSE, conf.int = TRUE)`, as Kayenta's judge computes it
 * (kayenta-mannwhitney). The statistic is a step function of the shift, so roots are exact to 1e-4 only.
 * Errors: TiedObservationsError.
 */
export function shiftBetween(
  experiment: readonly number[],
  control: readonly number[],
  confidenceLevel: number,
): Shift {
  const least = Math.min(...experiment) - Math.max(...control)
  const most = Math.max(...experiment) - Math.min(...control)
  const rootOf = (quantile: number) => {
    const at = (shift: number) => standardisedRankSum(experiment, control, shift) - quantile
    const [low, high] = [at(least), at(most)]
    if (low <= 0) return least
    if (high >= 0) return most
    return brentRoot(at, { a: least, b: most, atA: low, atB: high })
  }
  const z = normalQuantile((1 - confidenceLevel) / 2)
  return { lower: rootOf(-z), upper: rootOf(z), estimate: rootOf(0) }
}

/** The rank sum of `experiment` less `shift`, less its mean, corrected for continuity, in standard deviations. */
function standardisedRankSum(
  experiment: readonly number[],
  control: readonly number[],
  shift: number,
): number {
  const m = experiment.length
  const n = control.length
  const items = [
    ...experiment.map((value) => ({ value: value - shift, own: true })),
    ...control.map((value) => ({ value, own: false })),
  ].sort((one, other) => one.value - other.value)
  let rankSum = 0
  let tieTerm = 0
  for (let start = 0; start < items.length; ) {
    let end = start
    let own = 0
    for (; end < items.length && items[end]?.value === items[start]?.value; end++) if (items[end]?.own) own++
    const ties = end - start
    rankSum += own * (start + (ties + 1) / 2)
    tieTerm += ties ** 3 - ties
    start = end
  }
  const centred = rankSum - (m * (m + 1)) / 2 - (m * n) / 2
  const variance = ((m * n) / 12) * (m + n + 1 - tieTerm / ((m + n) * (m + n - 1)))
  if (!(variance > 0)) throw new TiedObservationsError('all observations are tied: there is no interval')
  return (centred - Math.sign(centred) * 0.5) / Math.sqrt(variance)
}

interface Bracket {
  readonly a: number
  readonly b: number
  readonly atA: number
  readonly atB: number
}

/** A root between `a` and `b`, where the function changes sign (Brent 1973, chapter 4: bisection, secant, inverse quadratic). */
function brentRoot(f: (x: number) => number, bracket: Bracket): number {
  let { a, b, atA, atB } = bracket
  let [c, atC] = [a, atA]
  for (let step = 0; step < maxSteps; step++) {
    if (Math.abs(atC) < Math.abs(atB)) {
      ;[a, b, c] = [b, c, b]
      ;[atA, atB, atC] = [atB, atC, atB]
    }
    const accuracy = 2 * Number.EPSILON * Math.abs(b) + tolerance / 2
    const half = (c - b) / 2
    if (Math.abs(half) <= accuracy || atB === 0) return b
    const move = interpolated({ a, b, c, atA, atB, atC }, accuracy) ?? half
    ;[a, atA] = [b, atB]
    b += Math.abs(move) > accuracy ? move : accuracy * Math.sign(half)
    atB = f(b)
    if (Math.sign(atB) === Math.sign(atC)) [c, atC] = [a, atA]
  }
  return b
}

/** The step that interpolation proposes, where it may be trusted. */
function interpolated(
  { a, b, c, atA, atB, atC }: Bracket & { c: number; atC: number },
  accuracy: number,
): number | undefined {
  const previous = b - a
  if (Math.abs(previous) < accuracy || Math.abs(atA) <= Math.abs(atB)) return undefined
  const s = atB / atA
  let p: number
  let q: number
  if (a === c) {
    p = (c - b) * s
    q = 1 - s
  } else {
    const r = atB / atC
    const t = atA / atC
    p = s * ((c - b) * t * (t - r) - (b - a) * (r - 1))
    q = (t - 1) * (r - 1) * (s - 1)
  }
  if (p > 0) q = -q
  else p = -p
  const inside = p < 0.75 * (c - b) * q - Math.abs(accuracy * q) / 2
  return inside && p < Math.abs((previous * q) / 2) ? p / q : undefined
}
