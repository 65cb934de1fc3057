import { estimateEffect } from '../../services/meta-controller/analysis/causal/estimate.ts'
import { meanOf } from '../../services/platform/statistics/order.ts'
import { normalVariate, type Random } from '../../services/platform/statistics/random.ts'
import type { TrialResult } from './trial.ts'

/** What telemetry tells of a change that was on and off before: one row for each of its slots. */
export interface LogRow {
  readonly isOn: boolean
  /** Requests relative to the mean. */
  readonly load: number
  readonly badShare: number
  /** The same in the slot before it was switched. */
  readonly badShareBefore: number
}

export type ChangeLog = readonly LogRow[]

const rows = 240
const usualBadShare = 0.3

/** Something that nobody measures, such as how much each request asks for, makes answers bad; the change was on when there was little of it, and does nothing. */
export function confoundedLog(random: Random): ChangeLog {
  return draw(random, { effect: 0, chanceOfOn: (hidden) => 1 / (1 + Math.exp(2 * hidden)) })
}

/** The change was on and off by lot, and spares half of what is bad. */
export function honestLog(random: Random): ChangeLog {
  return draw(random, { effect: -0.5 * usualBadShare, chanceOfOn: () => 0.5 })
}

/** The hidden thing comes and goes over some slots, so that the slot before has much of it too. */
function draw(
  random: Random,
  { effect, chanceOfOn }: { effect: number; chanceOfOn: (hidden: number) => number },
): ChangeLog {
  let hidden = normalVariate(random)
  return Array.from({ length: rows }, () => {
    const before = badShareOf(random, hidden)
    hidden = 0.9 * hidden + Math.sqrt(1 - 0.9 ** 2) * normalVariate(random)
    const isOn = random() < chanceOfOn(hidden)
    const load = 1 + 0.2 * normalVariate(random)
    const badShare = Math.max(0, badShareOf(random, hidden) + (isOn ? effect : 0))
    return { isOn, load, badShare, badShareBefore: before }
  })
}

function badShareOf(random: Random, hidden: number): number {
  return Math.max(0, usualBadShare + 0.06 * hidden + 0.03 * normalVariate(random))
}

/** What a log of earlier switching says, in words; and its effect, where no hidden cause is suspected and no refutation failed. */
export function readLog(rows: ChangeLog, seed: number): { words: string; trusted?: TrialResult } {
  const effect = estimateEffect({
    treatment: rows.map(({ isOn }) => isOn),
    outcome: rows.map(({ badShare }) => badShare),
    covariates: rows.map(({ load }) => [load]),
    controlOutcomes: [rows.map(({ badShareBefore }) => badShareBefore)],
    seed,
  })
  if (effect.kind === 'refused') return { words: `its log says nothing: ${effect.reason}` }
  const failed = effect.refutations.filter(({ passed }) => !passed)
  if (effect.confounderSuspected || failed.length > 0)
    return { words: `its log is not believed: ${failed.map(({ remark }) => remark).join('; ')}` }
  const trusted = {
    gain: -effect.estimate,
    standardError: effect.se,
    badShare: meanOf(rows.map(({ badShare }) => badShare)),
    refutations: effect.refutations.length,
    refutationsFailed: 0,
  }
  return { words: 'its log is believed, so that no trial is needed', trusted }
}
