import type { BurstPrior } from './burst-filter.ts'
import { betOnWorse, lnEvidence, observeRatio, type RatioProcess } from './ratio-process.ts'
import type { Slot } from './slot.ts'

/** Pairs of RPC and status that are told apart; each has the same part of the stakes, so that none needs to be known beforehand. */
export const maxSlices = 16
const alphaOfList = 0.01

/** The evidence of one RPC's requests that ended with one status. */
export interface SliceFinding {
  readonly method: string
  readonly status: number
  readonly stableRequests: number
  readonly stableEvents: number
  readonly canaryRequests: number
  readonly canaryEvents: number
  readonly log10Worse: number
  /** Whether it is on the list of those shown to be worse. */
  readonly isListed: boolean
}

interface Slice {
  readonly method: string
  readonly status: number
  readonly process: RatioProcess
  readonly sum: Readonly<
    Record<'stableRequests' | 'stableEvents' | 'canaryRequests' | 'canaryEvents', number>
  >
}

/**
 * Evidence by RPC and status: what goes wrong in one RPC of many shows there long before it shows in the sum. For one verdict the
 * e-values are averaged, those not begun counting 1; for the list of what is worse they are compared by e-BH (Wang and Ramdas 2022,
 * arXiv 2009.02824): both hold whatever the slices have to do with one another.
 */
export interface Slices {
  readonly prior: BurstPrior
  readonly maxLnGain: number
  readonly counts: (status: number) => boolean
  readonly slices: readonly Slice[]
}

/** `counts`: which statuses are events. */
export function beginSlices(
  counts: (status: number) => boolean,
  maxLnGain: number,
  prior: BurstPrior,
): Slices {
  return { prior, maxLnGain, counts, slices: [] }
}

/** A slice begins with the slot after that in which it is first seen, so that what made it known is not evidence. */
export function observeSlices(state: Slices, slot: Slot): Slices {
  const slices = state.slices.map((slice) => observeSlice(slice, slot))
  for (const arm of [slot.stable, slot.canary]) {
    for (const [method, { byStatus }] of Object.entries(arm.methods ?? {})) {
      for (const [text, events] of Object.entries(byStatus)) {
        const status = Number(text)
        if (slices.length >= maxSlices || events === 0 || !state.counts(status)) continue
        if (slices.some((slice) => slice.method === method && slice.status === status)) continue
        const process = betOnWorse(1, state.maxLnGain, state.prior)
        slices.push({ method, status, process, sum: countsOf(slot, method, status) })
      }
    }
  }
  return { ...state, slices }
}

function observeSlice(slice: Slice, slot: Slot): Slice {
  const now = countsOf(slot, slice.method, slice.status)
  const { sum } = slice
  return {
    ...slice,
    process: observeRatio(slice.process, { ...now, seconds: slot.seconds }),
    sum: {
      stableRequests: sum.stableRequests + now.stableRequests,
      stableEvents: sum.stableEvents + now.stableEvents,
      canaryRequests: sum.canaryRequests + now.canaryRequests,
      canaryEvents: sum.canaryEvents + now.canaryEvents,
    },
  }
}

function countsOf({ stable, canary }: Slot, method: string, status: number): Slice['sum'] {
  const [ours, theirs] = [canary.methods?.[method], stable.methods?.[method]]
  return {
    stableRequests: theirs?.requests ?? 0,
    stableEvents: theirs?.byStatus[status] ?? 0,
    canaryRequests: ours?.requests ?? 0,
    canaryEvents: ours?.byStatus[status] ?? 0,
  }
}

/** ln of the average e-value. */
export function lnMeanEvidence({ slices }: Slices): number {
  let sum = maxSlices - slices.length
  for (const { process } of slices) sum += Math.exp(lnEvidence(process))
  return Math.log(sum / maxSlices)
}

/** The slices, the strongest first, with those listed for which e-BH says so. */
export function findSlices({ slices }: Slices): SliceFinding[] {
  const found = slices
    .map(({ method, status, process, sum }) => ({ method, status, ...sum, ln: lnEvidence(process) }))
    .toSorted((a, b) => b.ln - a.ln)
  const listed = listedByEbh(
    found.map(({ ln }) => ln),
    alphaOfList,
  )
  return found.map(({ ln, ...rest }, index) => ({
    ...rest,
    log10Worse: ln / Math.LN10,
    isListed: index < listed,
  }))
}

/**
 * How many of the e-values, given by their logarithms from the largest down, are on the list: the largest k whose k-th is at least
 * m / (k alpha). Example: of e-values 400, 150 and 1 at alpha 0.01 there are two, since 150 ≥ 3 / (2 · 0.01), although 400 ≥ 300 too.
 */
export function listedByEbh(lnValues: readonly number[], alpha: number): number {
  for (let k = lnValues.length; k > 0; k--) {
    if (lnValues[k - 1]! >= Math.log(lnValues.length / (k * alpha))) return k
  }
  return 0
}
