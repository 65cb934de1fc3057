/** The latest values in the order they came; `values[end - 1]` is the newest. Twice as long as needed, so that it is moved back rarely. */
export class History {
  readonly values: Float64Array
  end = 0
  /** How many have come in all. */
  seen = 0

  /** Keeps at least the last `length` values. */
  constructor(length: number) {
    this.values = new Float64Array(2 * length)
  }

  push(value: number): void {
    const { values } = this
    if (this.end === values.length) {
      values.copyWithin(0, values.length / 2)
      this.end = values.length / 2
    }
    values[this.end] = value
    this.end += 1
    this.seen += 1
  }

  /** Squared Euclidean distance of the last `length` values from those that ended `lag` values before. */
  squareOf(length: number, lag: number): number {
    const { values, end } = this
    let sum = 0
    for (let place = end - length; place < end; place++) {
      const difference = (values[place] as number) - (values[place - lag] as number)
      sum += difference * difference
    }
    return sum
  }
}
