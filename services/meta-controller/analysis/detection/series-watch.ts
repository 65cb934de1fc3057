import type { Direction } from './anomaly.ts'
import type { Detector } from './detector.ts'
import { createEnsemble, membersOf, type Tier } from './ensemble.ts'
import { SortedWindow } from './sorted-window.ts'
import { cautiousFit, TailCalibrator } from './tail.ts'

export interface SeriesVerdict {
  /** Probability of a value so unusual, judged by those before it; 1 when nothing can be told. */
  readonly pValue: number
  /** The ensemble's sum of -log10 p. */
  readonly sum: number
  readonly value: number
  /** The median of the last 2,000 values before; NaN without any. */
  readonly reference: number
}

const memory = 2000

/**
 * A stream of values of one metric. Two looks at each value: how far it lies from the median, and the ensemble's sum; both by a
 * cautious tail, so that dependent members give a probability again; the smaller, doubled. A value that is not finite is missing:
 * pValue 1, and nothing is learnt from it. During the first 100 values pValue is 1.
 * Example: after 1,000 draws from the standard normal distribution a 30 has a pValue below 0.001.
 */
export class SeriesWatch {
  readonly #ensemble: Detector
  readonly #direction: Direction
  readonly #tailOfSums = new TailCalibrator(cautiousFit)
  readonly #tailOfValues = new TailCalibrator(cautiousFit)
  readonly #values = new SortedWindow(memory)

  constructor({ tier = 'full', direction = 'both' }: { tier?: Tier; direction?: Direction }) {
    this.#ensemble = createEnsemble(membersOf(tier))
    this.#direction = direction
  }

  update(value: number, atMs: number): SeriesVerdict {
    const reference = this.#values.quantile(0.5)
    if (!Number.isFinite(value)) return { pValue: 1, sum: 0, value, reference }
    const sum = this.#ensemble.update(value, atMs)
    const first = this.#values.size === 0
    const bySum = this.#tailOfSums.update(sum)
    const byValue = first ? 1 : this.#tailOfValues.update(this.#towards(value - reference))
    this.#values.push(value)
    const pValue = this.#towards(value - reference) > 0 ? Math.min(1, 2 * Math.min(bySum, byValue)) : 1
    return { pValue, sum, value, reference }
  }

  /** Distance in the direction that is worth telling. */
  #towards(difference: number): number {
    if (this.#direction === 'up') return difference
    return this.#direction === 'down' ? -difference : Math.abs(difference)
  }
}
