import type { Direction } from './anomaly.ts'
import { createEnsemble, membersOf, type Tier } from './ensemble.ts'
import { SortedWindow } from './sorted-window.ts'
import { TailCalibrator } from './tail.ts'

export interface SeriesVerdict {
  /** Probability of a value so unusual, judged by those before it; 1 when nothing can be told. */
  readonly pValue: number
  /** The ensemble's sum of -log10 p, of which `pValue` is the tail. */
  readonly sum: number
  readonly value: number
  /** The median of the last 2,000 values before. */
  readonly reference: number
}

const memory = 2000

/**
 * A stream of values of one metric: the ensemble's score, calibrated once more so that the sum of dependent members is a
 * probability again. A value that is not finite is missing: pValue 1, and nothing is learnt from it.
 */
export class SeriesWatch {
  readonly #ensemble: ReturnType<typeof createEnsemble>
  readonly #direction: Direction
  readonly #tail = new TailCalibrator()
  readonly #values = new SortedWindow(memory)

  constructor({ tier = 'full', direction = 'both' }: { tier?: Tier; direction?: Direction }) {
    this.#ensemble = createEnsemble(membersOf(tier))
    this.#direction = direction
  }

  update(value: number, atMs: number): SeriesVerdict {
    const reference = this.#values.quantile(0.5)
    if (!Number.isFinite(value)) return { pValue: 1, sum: 0, value, reference }
    const sum = this.#ensemble.update(value, atMs)
    const pValue = this.#tail.update(sum)
    this.#values.push(value)
    const wrongWay =
      (this.#direction === 'up' && value <= reference) || (this.#direction === 'down' && value >= reference)
    return { pValue: wrongWay ? 1 : pValue, sum, value, reference }
  }
}
