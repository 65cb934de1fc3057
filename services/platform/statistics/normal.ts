/** P(Z <= x) of the standard normal distribution, relative error below 1e-11. Example: normalCdf(0) = 0.5. */
export function normalCdf(x: number): number {
  return 0.5 * erfc(-x / Math.SQRT2)
}

/** 1 - erf(x): by series below 2.5, by continued fraction above; relative error below 1e-12. Example: erfc(0) = 1. */
export function erfc(x: number): number {
  const z = Math.abs(x)
  const value = z < seriesBelow ? 1 - erfSeries(z) : erfcFraction(z)
  return x >= 0 ? value : 2 - value
}

const seriesBelow = 2.5
const maxTerms = 200

/** Maclaurin series of erf, for small arguments. */
function erfSeries(z: number): number {
  let term = z
  let sum = z
  for (let n = 1; n < maxTerms; n++) {
    term *= (-z * z) / n
    const part = term / (2 * n + 1)
    sum += part
    if (Math.abs(part) < 1e-17 * Math.abs(sum)) break
  }
  return (2 / Math.sqrt(Math.PI)) * sum
}

/** Continued fraction of erfc, evaluated backwards, for large arguments. */
function erfcFraction(z: number): number {
  let fraction = z
  for (let k = fractionTerms; k >= 1; k--) fraction = z + k / 2 / fraction
  return Math.exp(-z * z) / Math.sqrt(Math.PI) / fraction
}

const fractionTerms = 60

/** The x with normalCdf(x) = p (a guess refined by two steps of Halley). Infinite at 0 and 1. Example: normalQuantile(0.975) is 1.95996. */
export function normalQuantile(p: number): number {
  if (Number.isNaN(p)) return Number.NaN
  if (p <= 0) return Number.NEGATIVE_INFINITY
  if (p >= 1) return Number.POSITIVE_INFINITY
  if (p > 0.5) return -normalQuantile(1 - p)
  return refined(refined(-upperTailGuess(p), p), p)
}

function refined(x: number, p: number): number {
  const error = (normalCdf(x) - p) * Math.sqrt(2 * Math.PI) * Math.exp((x * x) / 2)
  return x - error / (1 + (x * error) / 2)
}

/** Abramowitz & Stegun 26.2.23, absolute error below 4.5e-4. */
function upperTailGuess(p: number): number {
  const t = Math.sqrt(-2 * Math.log(p))
  const numerator = 2.515517 + t * (0.802853 + t * 0.010328)
  const denominator = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308))
  return t - numerator / denominator
}
