import type { Detector } from './detector.ts'

const bins = 10
const windowLength = 52
/** 99th percentile of chi-square with 9 degrees of freedom. */
const critical = 21.666
const maxHypotheses = 50

interface Hypothesis {
  /** Logarithms of its shares. */
  readonly logs: Float64Array
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
    const logs = logsOf(this.#shares)
    const own = product(this.#shares, logs)
    for (const hypothesis of this.#hypotheses) {
      const statistic = 2 * windowLength * (own - product(this.#shares, hypothesis.logs))
      if (statistic >= smallest) continue
      smallest = statistic
      best = hypothesis
    }
    if (best !== undefined) {
      best.seen += 1
      return best.seen <= 2 ? 1 : 0
    }
    const first = this.#hypotheses.length === 0
    if (this.#hypotheses.length < maxHypotheses) this.#hypotheses.push({ logs, seen: 1 })
    return first ? 0 : 1
  }
}

/** Taken as the share of what a hypothesis never saw: it does not fit whoever shows it. */
const unseen = 1e-9

function logsOf(shares: Float64Array): Float64Array {
  return shares.map((share) => Math.log(Math.max(unseen, share)))
}

function product(shares: Float64Array, logs: Float64Array): number {
  let sum = 0
  for (let bin = 0; bin < bins; bin++) sum += (shares[bin] as number) * (logs[bin] as number)
  return sum
}
