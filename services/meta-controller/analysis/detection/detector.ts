/**
 * A stream in, one number per value out: how unlike the values before it this one is. What the number means is each
 * detector's own; a tail calibration makes a probability of it. State is what was seen so far and nothing else: no look-ahead,
 * no clock, no randomness. Callers give finite values only (`SeriesWatch` sees to that).
 */
export interface Detector {
  /** NaN while nothing can be told yet. `atMs`: epoch milliseconds; only differences between them matter. */
  update(value: number, atMs: number): number
}
