import { lnGamma } from './special-functions.ts'

/**
 * P(X >= atLeast) for X ~ Binomial(trials, probability). `atLeast` and `trials` may be fractions, as an effective sample
 * size is: the tail is then the regularised incomplete beta function I_p(atLeast, trials - atLeast + 1), which equals the
 * sum at whole numbers (Abramowitz & Stegun 26.5.24). Example: binomialUpperTail(2, 2, 0.5) is 0.25.
 */
export function binomialUpperTail(atLeast: number, trials: number, probability: number): number {
  if (atLeast <= 0) return 1
  if (trials <= 0 || atLeast > trials) return 0
  if (probability <= 0) return 0
  if (probability >= 1) return 1
  return regularisedBeta(probability, atLeast, trials - atLeast + 1)
}

/** The regularised incomplete beta function I_x(a, b), by the continued fraction of Lentz (Numerical Recipes 6.4), relative error about 1e-12. Example: regularisedBeta(0.5, 1, 1) = 0.5. */
export function regularisedBeta(x: number, a: number, b: number): number {
  const logFront = lnGamma(a + b) - lnGamma(a) - lnGamma(b) + a * Math.log(x) + b * Math.log1p(-x)
  const front = Math.exp(logFront)
  if (x < (a + 1) / (a + b + 2)) return Math.min(1, (front * continuedFraction(x, a, b)) / a)
  return Math.max(0, 1 - (front * continuedFraction(1 - x, b, a)) / b)
}

const maxFractionTerms = 10_000
const tiny = 1e-300

function continuedFraction(x: number, a: number, b: number): number {
  let c = 1
  let d = 1 / guard(1 - ((a + b) * x) / (a + 1))
  let result = d
  for (let m = 1; m <= maxFractionTerms; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / guard(1 + even * d)
    c = guard(1 + even / c)
    result *= d * c
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / guard(1 + odd * d)
    c = guard(1 + odd / c)
    const step = d * c
    result *= step
    if (Math.abs(step - 1) < 1e-12) break
  }
  return result
}

function guard(value: number): number {
  return Math.abs(value) < tiny ? tiny : value
}
