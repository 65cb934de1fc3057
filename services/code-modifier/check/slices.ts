import { meanOf } from '../../platform/statistics/order.ts'
import type { Round } from './rounds.ts'

/** Consecutive samples of one operation in one run; see BenchmarkSlice in the contract. */
export interface Slice {
  readonly round: number
  readonly changed: boolean
  readonly first: boolean
  readonly place: number
  readonly samples: number
  readonly meanMs: number
}

/** Parts that a run is cut into: enough to see how a run drifts, few enough to journal. */
const slicesPerRun = 10

/** The slices of an operation in the order in which they were measured. A run with fewer samples than parts has a slice for each. */
export function slicesOf(operation: string, rounds: readonly Round[]): Slice[] {
  return rounds.flatMap((round, index) => {
    const side = (changed: boolean) => {
      const samples = (changed ? round.after : round.before)[operation] ?? []
      const first = changed === round.changedFirst
      return cut(samples).map((part, place) => ({
        round: index,
        changed,
        first,
        place,
        samples: part.length,
        meanMs: meanOf(part),
      }))
    }
    return [...side(round.changedFirst), ...side(!round.changedFirst)]
  })
}

function cut(samples: readonly number[]): number[][] {
  const parts = Math.min(slicesPerRun, samples.length)
  return Array.from({ length: parts }, (_, part) =>
    samples.slice(
      Math.floor((part * samples.length) / parts),
      Math.floor(((part + 1) * samples.length) / parts),
    ),
  )
}
