import type { Detector } from './detector.ts'

const bins = 10
const windowLength = 52
/** 99th percentile of chi-square with 9 degrees of freedom. */
const critical = 21.666
const maxHypotheses = 50

interface Hypothesis {
  readonly shares: Float64Array
  seen: number
}

/**
 * Relative entropy (Wang et al., "Statistical techniques for online anomaly detection in data centers", 2011): the
 * histogram of the last 52 values, over the range seen so far, against each histogram accepted before. 1 when none fits, or
 * when the one that fits has been seen once only; else 0. 0 too until 52 values have come and while all are equal.
 * Example: 400 values of one uniform distribution score 0 at the end; soon after their level has moved by twice its width the score is 1.
 */
export function createRelativeEntropy(): Detector {
  return new RelativeEntropy()
}

class RelativeEntropy implements Detector {
  readonly #latest = new Float64Array(windowLength)
  readonly #shares = new Float64Array(bins)
  readonly #hypotheses: Hypothesis[] = []
  #seen = 0
  #low = Number.POSITIVE_INFINITY
  #high = Number.NEGATIVE_INFINITY

  update(value: number): number {
    this.#latest[this.#seen % windowLength] = value
    this.#seen += 1
    this.#low = Math.min(this.#low, value)
    this.#high = Math.max(this.#high, value)
    if (this.#seen < windowLength || !(this.#high > this.#low)) return 0
    this.#count()
    return this.#judge()
  }

  #count(): void {
    const perUnit = bins / (this.#high - this.#low)
    this.#shares.fill(0)
    for (const value of this.#latest) {
      const bin = Math.min(bins - 1, Math.floor((value - this.#low) * perUnit))
      this.#shares[bin] = (this.#shares[bin] as number) + 1 / windowLength
    }
  }

  #judge(): number {
    let best: Hypothesis | undefined
    let smallest = critical
    for (const hypothesis of this.#hypotheses) {
      const statistic = 2 * windowLength * divergence(this.#shares, hypothesis.shares)
      if (statistic >= smallest) continue
      smallest = statistic
      best = hypothesis
    }
    if (best !== undefined) {
      best.seen += 1
      return best.seen <= 2 ? 1 : 0
    }
    const first = this.#hypotheses.length === 0
    if (this.#hypotheses.length < maxHypotheses)
      this.#hypotheses.push({ shares: this.#shares.slice(), seen: 1 })
    return first ? 0 : 1
  }
}

/** Taken as the share of what a hypothesis never saw: it does not fit whoever shows it. */
const unseen = 1e-9

/** Kullback and Leibler's divergence. */
function divergence(shares: Float64Array, reference: Float64Array): number {
  let sum = 0
  for (let bin = 0; bin < bins; bin++) {
    const share = shares[bin] as number
    if (share > 0) sum += share * Math.log(share / Math.max(unseen, reference[bin] as number))
  }
  return sum
}
