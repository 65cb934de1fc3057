import { type Excesses, excessesOf, significant } from './excess.ts'
import type { Levels } from './level.ts'
import type { Scene } from './scene.ts'

/** What one service has of the target's excess. */
export interface Account {
  readonly service: string
  /** Of its excess, what is its own: less its callees', and as far as it reaches the target; a request of the target. */
  readonly own: number
  /** The same as a share of the target's excess, at most `mostShare`. */
  readonly share: number
  /** How far its excess is from usual in the slots that count, in robust standard deviations of a slot. */
  readonly deviation: number
  /** The same over the whole window, where evidence adds up as the root of the slots. */
  readonly persistence: number
  readonly score: number
}

/** Who has how much of the target's excess; the accounts are ranked. */
export interface Ledger {
  /** For each request of the target. */
  readonly excess: number
  readonly deviation: number
  readonly accounts: readonly Account[]
}

/** A callee's excess can exceed the target's where calls run at the same time, or where noise adds to it. */
const mostShare = 1.2
const proxyFactor = 0.9
const insignificantFactor = 0.05
const tieBreak = 1e-4
const mostTieBreak = 50

/**
 * Shares out the target's excess: a service's own part is its excess less that of its callees that are out of the ordinary.
 * A callee that the normal period did not have cannot have changed: what it adds is its caller's.
 * With `levels` undefined the whole mass is the excess, and every callee is subtracted.
 */
export function ledgerOf(scene: Scene, levels: Levels | undefined): Ledger {
  const excesses = excessesOf(scene, levels)
  const own = ownParts(scene, excesses, levels !== undefined)
  const total = excesses.services[0]!
  const perRequest =
    sumOver(scene.scale, excesses.slots) / Math.max(sumOver(scene.requests, excesses.slots), Number.MIN_VALUE)
  const accountOf = (service: string, place: number): Account => {
    const share = total > 0 ? Math.min(own[place]! / total, mostShare) : 0
    const deviation = excesses.strangeness[place]!.deviation
    const isOutstanding = levels === undefined || deviation > significant
    const weight = isOutstanding ? 1 : (insignificantFactor * Math.max(0, deviation)) / significant
    const tie = tieBreak * Math.min(mostTieBreak, Math.max(-mostTieBreak, deviation))
    return {
      service,
      own: own[place]! * perRequest,
      share,
      deviation,
      persistence: excesses.strangeness[place]!.persistence,
      score: share * weight * (scene.isProxy[place] ? proxyFactor : 1) + tie,
    }
  }
  const accounts = scene.services.map(accountOf).filter((_, place) => excesses.isKnown[place])
  accounts.sort((one, other) => other.score - one.score)
  return { excess: total * perRequest, deviation: excesses.strangeness[0]!.deviation, accounts }
}

function sumOver(column: Float64Array, slots: readonly number[]): number {
  return slots.reduce((sum, slot) => sum + column[slot]!, 0)
}

function ownParts(scene: Scene, excesses: Excesses, isCompared: boolean): number[] {
  const own = [...excesses.services]
  for (const [index, { caller, callee }] of scene.calls.entries()) {
    const isOutstanding = !isCompared || excesses.strangeness[callee]!.deviation > significant
    if (isOutstanding && excesses.isKnown[callee]) own[caller]! -= Math.max(0, excesses.calls[index]!)
  }
  const reaching = reachingShares(scene, excesses)
  return own.map((part, place) => Math.max(0, part) * reaching[place]!)
}

/**
 * How much of each service's excess reaches the target, 0 to 1: along edges that the mesh tells, the part that its callers wait
 * for, times how much of theirs reaches it; along others all of it.
 */
function reachingShares(scene: Scene, { services, calls }: Excesses): Float64Array {
  const shares = new Float64Array(scene.services.length).fill(1)
  if (scene.calls.every((call) => call.mass === undefined)) return shares
  const incomingOf = new Map<number, number[]>()
  for (const [index, { callee }] of scene.calls.entries())
    incomingOf.set(callee, [...(incomingOf.get(callee) ?? []), index])
  for (const place of scene.order) {
    const incoming = place === 0 ? [] : (incomingOf.get(place) ?? [])
    const isTold = incoming.length > 0 && incoming.every((index) => scene.calls[index]!.mass !== undefined)
    if (!isTold || !(services[place]! > 0)) continue
    const arriving = incoming.reduce(
      (sum, index) => sum + shares[scene.calls[index]!.caller]! * Math.max(0, calls[index]!),
      0,
    )
    shares[place] = Math.min(1, arriving / services[place]!)
  }
  return shares
}
