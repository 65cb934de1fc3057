import { regularisedBeta } from './binomial.ts'

/** P(T <= t) of Student's t distribution with `degrees` of freedom (> 0; may be a fraction). Example: studentCdf(0, 3) = 0.5. */
export function studentCdf(t: number, degrees: number): number {
  const tail = regularisedBeta(degrees / (degrees + t * t), degrees / 2, 0.5) / 2
  return t > 0 ? 1 - tail : tail
}

const bisections = 200
const largest = 1e9

/** The t with studentCdf(t, degrees) = p, for p between 0 and 1. Example: studentQuantile(0.975, 2) is 4.30265. */
export function studentQuantile(p: number, degrees: number): number {
  if (p === 0.5) return 0
  if (p < 0.5) return -studentQuantile(1 - p, degrees)
  let [low, high] = [0, largest]
  for (let step = 0; step < bisections && high - low > 1e-12 * high; step++) {
    const middle = low > 0 ? Math.sqrt(low * high) : high / 2
    if (studentCdf(middle, degrees) < p) low = middle
    else high = middle
    if (high < 1e-12) return 0
  }
  return (low + high) / 2
}
