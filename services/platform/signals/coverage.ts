import { type Grid, type Scrape, slotCountOf } from './increments.ts'

/** A slot edge may lie this many scrape intervals, or this share of the slot, from the nearest scrape. */
const toleratedIntervals = 1.5
const toleratedShare = 0.1

/**
 * good: scraped throughout. broken: it was there but was not scraped, so what it did is not known.
 * absent: not yet scraped or no longer, as when a pod comes or goes; the other targets decide.
 */
type Verdict = 'good' | 'broken' | 'absent'

/** For each slot whether its counts can be believed: at least one target was scraped throughout, and no target was missed. */
export function coveredSlots(targets: readonly (readonly Scrape[])[], grid: Grid): boolean[] {
  const slots = Array.from({ length: slotCountOf(grid) }, (_, index) => {
    const startMs = grid.startMs + index * grid.slotMs
    return { startMs, endMs: Math.min(startMs + grid.slotMs, grid.endMs) }
  })
  const verdicts = targets.map((scrapes) => verdictsOf(scrapes, slots, grid.slotMs))
  return slots.map((_, index) => {
    const here = verdicts.map((slotVerdicts) => slotVerdicts[index])
    return here.includes('good') && !here.includes('broken')
  })
}

interface Slot {
  readonly startMs: number
  readonly endMs: number
}

function verdictsOf(scrapes: readonly Scrape[], slots: readonly Slot[], slotMs: number): Verdict[] {
  const tolerance = Math.max(toleratedIntervals * usualIntervalMs(scrapes, slotMs), toleratedShare * slotMs)
  let before = 0
  return slots.map((slot) => {
    while ((scrapes[before]?.atMs ?? Number.POSITIVE_INFINITY) < slot.startMs) before += 1
    let after = before
    while ((scrapes[after]?.atMs ?? Number.POSITIVE_INFINITY) < slot.endMs) after += 1
    return verdictOf(scrapes, { slot, before, after, tolerance })
  })
}

/** The scrapes of the slot are those from index `before` to below `after`. */
function verdictOf(
  scrapes: readonly Scrape[],
  { slot, before, after, tolerance }: { slot: Slot; before: number; after: number; tolerance: number },
): Verdict {
  const first = findSuccess(scrapes, before, after)
  const last = findLastSuccess(scrapes, before, after)
  const earlier = findLastSuccess(scrapes, 0, before)
  const later = findSuccess(scrapes, after, scrapes.length)
  const failedHere = scrapes.slice(before, after).some(({ succeeded }) => !succeeded)
  if (first === undefined || last === undefined) {
    const awaited = earlier !== undefined && later !== undefined
    return awaited || failedHere ? 'broken' : 'absent'
  }
  if (earlier === undefined) return 'absent'
  if (first - earlier > tolerance) return 'broken'
  if (slot.endMs - last <= tolerance) return 'good'
  return later !== undefined || failedHere ? 'broken' : 'absent'
}

function findSuccess(scrapes: readonly Scrape[], from: number, to: number): number | undefined {
  for (let index = from; index < to; index += 1) if (scrapes[index]?.succeeded) return scrapes[index]?.atMs
  return undefined
}

function findLastSuccess(scrapes: readonly Scrape[], from: number, to: number): number | undefined {
  for (let index = to - 1; index >= from; index -= 1)
    if (scrapes[index]?.succeeded) return scrapes[index]?.atMs
  return undefined
}

/** The median distance of two scrapes; `otherwise` when there are not two. */
function usualIntervalMs(scrapes: readonly Scrape[], otherwise: number): number {
  const distances = scrapes.slice(1).map(({ atMs }, index) => atMs - (scrapes[index]?.atMs ?? atMs))
  return distances.sort((a, b) => a - b)[Math.floor(distances.length / 2)] ?? otherwise
}
