import { amplificationOf, waysTo } from './amplification.ts'
import type { Play } from './mind.ts'
import { countBetween, drainMs, horizonS, type Verdict } from './oracle.ts'
import { maxAmplification } from './proof.ts'
import { burnLimits } from './rollout.ts'
import { promise, times, type World } from './world.ts'

/** How a controller did in a world. Values are bad requests over the horizon. */
export interface Score {
  /** What the oracle's choice spares. */
  readonly best: number
  readonly regret: number
  readonly isRight: boolean
  /** A change that does no harm was rolled out. */
  readonly isGoodRollout: boolean
  /** And called worse. */
  readonly isFalseRollback: boolean
  /** What clients bore while it was at work, as a share of the error budget of an hour; below 0 where they were spared some already. */
  readonly burn: number
  readonly violations: readonly string[]
}

/** A choice that spares nearly as much as the best is right: a tenth less, or so small a share of all requests. */
const nearly = { shareOfBest: 0.1, shareOfRequests: 0.002 }
const budgetWindowS = 3600

export function scoreOf(world: World, verdict: Verdict, play: Play): Score {
  const { best, nothing } = verdict
  const sparedBy = (name: string | undefined) =>
    verdict.valued.find(({ intervention }) => intervention?.name === name)?.value ?? 0
  const lasting = play.promoted ? sparedBy(play.promoted.name) : 0
  const excess = excessOf(verdict, play)
  // What it chose counts from when it was in place; what clients bore until then counts too.
  const value = lasting * (1 - play.seconds / horizonS) - excess
  const isAllowed =
    play.promoted === undefined || amplificationOf(world.spec, play.promoted) <= maxAmplification
  const tolerated = Math.max(
    nearly.shareOfBest * best.value,
    nearly.shareOfRequests * nothing.ratePerS * horizonS,
  )
  const upkeep = verdict.upkeep
  const isGoodRollout = play.rolledOut !== undefined && sparedBy(play.rolledOut.name) + upkeep >= 0
  return {
    best: best.value,
    regret: best.value - value,
    isRight: isAllowed && lasting >= best.value - tolerated,
    isGoodRollout,
    isFalseRollback: isGoodRollout && play.ending === 'aborted',
    burn: excess / budgetOf(nothing.ratePerS),
    violations: violationsOf(world, play, excess, budgetOf(nothing.ratePerS)),
  }
}

/** Bad requests while the controller was at work, above those of the world left alone (the same clients with the same luck). */
function excessOf({ alone }: Verdict, { simulation, seconds }: Play): number {
  if (seconds === 0) return 0
  const untilMs = times.actMs + seconds * 1000
  for (const each of [alone, simulation]) if (each.nowMs < untilMs + drainMs) each.runUntil(untilMs + drainMs)
  const badOf = (each: typeof alone) => countBetween(each, times.actMs, untilMs).bad
  return badOf(simulation) - badOf(alone)
}

/** Bad requests that the promise allows in its window. */
function budgetOf(ratePerS: number): number {
  return budgetWindowS * (1 - promise.objective) * ratePerS
}

/** Proven budgets that the run exceeded, in words. */
function violationsOf(world: World, play: Play, excess: number, budget: number): string[] {
  const found: string[] = []
  const { maxBudgetShare, maxLateBudgetShare } = burnLimits
  const shares = (play.trials ?? 0) * maxBudgetShare + (play.rolledOut ? maxLateBudgetShare : 0)
  if (shares > 0 && excess > shares * budget) {
    found.push(
      `${play.trials} trials and the rollout cost ${Math.round(excess)} requests, ${Math.round(shares * budget)} are allowed`,
    )
  }
  if (play.promoted && amplificationOf(world.spec, play.promoted) > maxAmplification) {
    found.push(`${play.promoted.name} multiplies requests by more than ${maxAmplification}`)
  }
  const ways = waysTo(world.spec)
  for (const [index, { name }] of world.spec.services.entries()) {
    const tries = play.simulation.mostTries[index]!
    const most = maxAmplification * (ways.get(name) ?? 0)
    if (play.rolledOut !== undefined && tries > most)
      found.push(`${name} had ${tries} tries for one request, ${most} are allowed`)
  }
  return found
}
