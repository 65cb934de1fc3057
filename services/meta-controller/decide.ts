import { type Effect, effectOfExperience } from './analysis/effect.ts'
import type { RootCause } from './blame.ts'
import type { Experience } from './learn.ts'
import type { Goal, ObjectiveState } from './objective.ts'
import { type ProvenObligation, proveRollout, whyUnproven } from './obligations.ts'
import type { Anomaly, Situation } from './orient.ts'
import type { Stage, StageOutcome } from './stage.ts'

/** An intervention that was considered, or `none`. */
export interface Option {
  readonly intervention: string
  readonly effect: Effect
  readonly chosen: boolean
  readonly reason: string
}

/** What the mind decided in a turn; `intervention` is `none` when it declined. */
export interface Decision {
  readonly intervention: string
  readonly service: string
  /** The target branch that a promotion moves. */
  readonly branch: string
  readonly reasons: readonly string[]
  readonly options: readonly Option[]
  readonly anomalies: readonly Anomaly[]
  readonly relatedKnowledge: readonly string[]
  readonly rootCauses: readonly RootCause[]
  readonly unexplainedShare: number
  /** What must hold of the roll-out; empty when it declined before. */
  readonly obligations: readonly ProvenObligation[]
}

/** What `decide` judges from. */
export interface DecisionInput {
  readonly goal: Goal
  /** The intervention that is wished; empty: the mind chooses. */
  readonly wished: string
  readonly situation: Situation
  readonly experiences: readonly Experience[]
  readonly excluded: Readonly<Record<string, string>>
}

/** Which interventions can serve a goal, the likeliest first, as long as experience says nothing else. */
const candidates: Record<Goal, readonly string[]> = {
  reduce_latency: ['enable_caching', 'add_timeout'],
  reduce_tail_latency: ['add_timeout', 'enable_caching'],
  reduce_errors: ['add_retry', 'add_timeout'],
}

export const decide: Stage<Decision> = async (state, context) => {
  const situation = state.results.orient!
  const experiences = await context.experiences.of(state.wish.target)
  const chosen = judge({
    goal: state.wish.goal,
    wished: state.wish.intervention,
    situation,
    experiences,
    excluded: state.excluded,
  })
  if (chosen.intervention === 'none') return declined(chosen, chosen.reasons.join('; '))
  const obligations = await proveRollout(state.results.observe!, situation, context)
  const unproven = whyUnproven(obligations)
  if (unproven !== undefined) {
    const reasons = [...chosen.reasons, unproven]
    return declined({ ...chosen, intervention: 'none', reasons, obligations }, unproven)
  }
  const proved = `${obligations.length} of ${obligations.length} obligations proven`
  const decision = { ...chosen, reasons: [...chosen.reasons, proved], obligations }
  const message = `${decision.intervention} on ${decision.service}: ${decision.reasons.join('; ')}`
  const watched = `autonomy is observe: would do ${message}`
  return observeOnly(state)
    ? { result: decision, message, end: { ending: 'declined', reason: watched } }
    : { result: decision, message }
}

function declined(decision: Decision, reason: string): StageOutcome<Decision> {
  return { result: decision, message: `declined: ${reason}`, end: { ending: 'declined', reason } }
}

function observeOnly(state: ObjectiveState): boolean {
  return state.wish.autonomy === 'observe'
}

/**
 * Pure: chooses an intervention or declines. It declines when nothing is wrong, when telemetry is too thin to say, and when
 * every intervention that could help is not permitted, was found impossible, or already failed from this very commit.
 */
export function judge(input: DecisionInput): Decision {
  const { situation } = input
  const declined = whyNothing(situation)
  if (declined !== undefined) return decisionOf(input, 'none', [declined], [])
  const wanted = input.wished === '' ? candidates[input.goal] : [input.wished]
  const options = wanted.map((intervention) => assess(intervention, input))
  const open = options.filter((option) => option.blocked === undefined)
  const best = open.toSorted((a, b) => worth(a.effect) - worth(b.effect))[0]
  const shown = options.map((option) => shownOption(option, option === best))
  const findings = [...situation.anomalies, ...situation.rootCauses.slice(0, 1)].map((one) => one.remark)
  if (best === undefined) {
    const blocked = options.map((option) => `${option.intervention}: ${option.blocked}`)
    return decisionOf(input, 'none', [...findings, ...blocked], shown)
  }
  return decisionOf(input, best.intervention, [...findings, describe(best.effect)], shown)
}

function whyNothing(situation: Situation): string | undefined {
  if (situation.notEnough !== undefined) return `not enough evidence: ${situation.notEnough}`
  if (situation.anomalies.length === 0) return `nothing to improve: ${situation.remark}`
  return undefined
}

interface AssessedOption {
  readonly intervention: string
  readonly effect: Effect
  /** Why it cannot be chosen. */
  readonly blocked?: string
}

function assess(intervention: string, input: DecisionInput): AssessedOption {
  const relevant = input.experiences.filter((one) => one.intervention === intervention)
  const effect = effectOfExperience(relevant.flatMap(measuredBy))
  return { intervention, effect, blocked: whyBlocked(intervention, input, relevant) }
}

/** What the canary measured, by the estimate that stood all attempts to refute it, else by the ratio of its values. */
function measuredBy({ effect, measured }: Experience): number[] {
  const isRefuted = effect?.refutations?.some((one) => !one.passed) ?? false
  if (effect !== undefined && !isRefuted) return [effect.estimate]
  return measured === null ? [] : [measured]
}

function whyBlocked(
  intervention: string,
  input: DecisionInput,
  relevant: readonly Experience[],
): string | undefined {
  const { situation, excluded } = input
  if (excluded[intervention] !== undefined) return excluded[intervention]
  if (!situation.permitted.includes(intervention)) {
    return `nexus.yaml does not permit it (interventions: ${situation.permitted.join(', ') || 'none'})`
  }
  const failed = relevant.find((one) => one.base === situation.head && one.outcome === 'aborted')
  if (failed !== undefined) {
    return `it was tried from this very commit and aborted by the canary (objective ${failed.objectiveId}: ${failed.reason})`
  }
  return undefined
}

/** Lower is better: the worse end of the interval, so that uncertainty counts against an option by itself. */
function worth(effect: Effect): number {
  return effect.high
}

function shownOption(option: AssessedOption, chosen: boolean): Option {
  const { intervention, effect } = option
  return {
    intervention,
    effect,
    chosen,
    reason: option.blocked ?? (chosen ? 'chosen' : 'another promises more'),
  }
}

function describe(effect: Effect): string {
  if (effect.origin === 'none') return 'never tried here: its effect is estimated from the benchmark next'
  const percent = (value: number) => `${value > 0 ? '+' : ''}${Math.round(value * 100)} %`
  const times = effect.observations === 1 ? 'one earlier canary' : `${effect.observations} earlier canaries`
  return `${times} measured ${percent(effect.estimate)} (${percent(effect.low)} to ${percent(effect.high)})`
}

function decisionOf(
  input: DecisionInput,
  intervention: string,
  reasons: readonly string[],
  options: readonly Option[],
): Decision {
  const { service, branch, anomalies, changes, relatedKnowledge, rootCauses, unexplainedShare } =
    input.situation
  return {
    intervention,
    service,
    branch,
    reasons,
    options,
    anomalies: [...anomalies, ...changes],
    relatedKnowledge,
    rootCauses,
    unexplainedShare,
    obligations: [],
  }
}
