/** Lanczos coefficients for g = 7, n = 9 (Godfrey's set, as printed in Numerical Recipes and Boost): 15 digits. */
const lanczos = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
] as const
const lanczosG = 7

/** ln Γ(x) for x > 0. Example: lnGamma(5) = ln 24. */
export function lnGamma(x: number): number {
  const y = x - 1
  let sum: number = lanczos[0]
  for (let index = 1; index < lanczos.length; index++) sum += lanczos[index]! / (y + index)
  const t = y + lanczosG + 0.5
  return 0.5 * Math.log(2 * Math.PI) + (y + 0.5) * Math.log(t) - t + Math.log(sum)
}

/** ln B(a, b) for a, b > 0. Example: lnBeta(2, 3) = ln (1/12). */
export function lnBeta(a: number, b: number): number {
  return lnGamma(a) + lnGamma(b) - lnGamma(a + b)
}

/** ln of the mean of e^x over `logs`, without overflow. Example: lnMeanExp([0, Math.log(3)]) = ln 2. */
export function lnMeanExp(logs: readonly number[]): number {
  const largest = Math.max(...logs)
  if (!Number.isFinite(largest)) return largest
  let sum = 0
  for (const value of logs) sum += Math.exp(value - largest)
  return largest + Math.log(sum / logs.length)
}
