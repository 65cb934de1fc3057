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

/** I_x(a, b) by the continued fraction of Lentz (Numerical Recipes 6.4), relative error about 1e-12. */
function regularisedBeta(x: number, a: number, b: number): number {
  const logFront = logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)
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

/** ln Γ(x) for x > 0, Lanczos approximation (g = 7, n = 9). Example: logGamma(5) is ln 24. */
export function logGamma(x: number): number {
  const coefficients = [
    676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406, 12.507343278686905,
    -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
  ]
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x)
  const shifted = x - 1
  const t = shifted + coefficients.length - 0.5
  const sum = coefficients.reduce((total, c, index) => total + c / (shifted + index + 1), 0.9999999999998099)
  return 0.5 * Math.log(2 * Math.PI) + (shifted + 0.5) * Math.log(t) - t + Math.log(sum)
}
