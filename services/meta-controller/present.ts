import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Autonomy as AutonomyCode } from '../gen/nexus/governor/v1/warrant_pb.ts'
import {
  type DecisionSchema,
  type EffectSchema,
  type ExperienceSchema,
  type Objective,
  ObjectiveSchema,
  Stage as StageCode,
  ObjectiveState as StateCode,
} from '../gen/nexus/meta_controller/v1/objective_pb.ts'
import type { Effect } from './analysis/effect.ts'
import type { Risk } from './analysis/risk.ts'
import type { Decision } from './decide.ts'
import type { Experience } from './learn.ts'
import { type Autonomy, type Ending, nextStage, type ObjectiveState, type StageName } from './objective.ts'

const autonomyCodes: Record<Autonomy, AutonomyCode> = {
  observe: AutonomyCode.OBSERVE,
  propose: AutonomyCode.PROPOSE,
  approve: AutonomyCode.APPROVE,
  auto: AutonomyCode.AUTO,
}

const endingCodes: Record<Ending, StateCode> = {
  promoted: StateCode.PROMOTED,
  proposed: StateCode.PROPOSED,
  declined: StateCode.DECLINED,
  refused: StateCode.REFUSED,
  aborted: StateCode.ABORTED,
  inconclusive: StateCode.INCONCLUSIVE,
  failed: StateCode.FAILED,
  canceled: StateCode.CANCELED,
}

const stageCodes: Record<StageName, StageCode> = {
  observe: StageCode.OBSERVE,
  orient: StageCode.ORIENT,
  decide: StageCode.DECIDE,
  propose: StageCode.PROPOSE,
  authorize: StageCode.AUTHORIZE,
  commit: StageCode.COMMIT,
  deploy: StageCode.DEPLOY,
  learn: StageCode.LEARN,
}

export function autonomyCode(autonomy: Autonomy): AutonomyCode {
  return autonomyCodes[autonomy]
}

/** Undefined for UNSPECIFIED: the caller leaves it to the settings. */
export function autonomyOf(code: AutonomyCode): Autonomy | undefined {
  return (Object.keys(autonomyCodes) as Autonomy[]).find((autonomy) => autonomyCodes[autonomy] === code)
}

export function stageCode(stage: StageName | undefined): StageCode {
  return stage === undefined ? StageCode.UNSPECIFIED : stageCodes[stage]
}

/** The stage that the objective is at, or was at when it ended. */
export function stageOf(state: ObjectiveState): StageName {
  return nextStage(state) ?? 'learn'
}

/** An objective as the contract shows it. */
export function presentObjective(state: ObjectiveState): Objective {
  const { wish, results } = state
  return create(ObjectiveSchema, {
    id: state.id,
    goal: wish.goal,
    targetMetric: wish.targetMetric,
    intervention: wish.intervention,
    affectedMetrics: [...wish.affectedMetrics],
    target: wish.target,
    autonomy: autonomyCodes[wish.autonomy],
    state: stateCode(state),
    stage: stageCodes[stageOf(state)],
    reason: state.reason,
    decision: results.decide && presentDecision(state, results.decide),
    changeId: results.propose?.id,
    commit: results.commit?.commit,
    approvalId: state.approvalId,
    experience: results.learn && presentExperience(results.learn),
    createdAt: timestampFromMs(state.createdAtMs),
    updatedAt: timestampFromMs(state.updatedAtMs),
    submittedBy: wish.submittedBy,
    turn: state.turn,
  })
}

function stateCode(state: ObjectiveState): StateCode {
  if (state.ending !== undefined) return endingCodes[state.ending]
  const awaiting = state.approvalId !== '' && state.results.authorize === undefined
  return awaiting ? StateCode.AWAITING_APPROVAL : StateCode.RUNNING
}

function presentDecision(state: ObjectiveState, decision: Decision): MessageInitShape<typeof DecisionSchema> {
  const { authorize } = state.results
  return {
    intervention: decision.intervention,
    reasons: [...decision.reasons],
    options: decision.options.map((option) => ({ ...option, effect: presentEffect(option.effect) })),
    anomalies: [...decision.anomalies],
    service: decision.service,
    effect: authorize && presentEffect(authorize.effect),
    risk: authorize && presentRisk(authorize.risk),
    relatedKnowledge: [...decision.relatedKnowledge],
    rootCauses: [...decision.rootCauses],
    unexplainedShare: decision.unexplainedShare,
    obligations: decision.obligations.map(({ smt: _, ...obligation }) => obligation),
  }
}

function presentEffect(effect: Effect): MessageInitShape<typeof EffectSchema> {
  return { ...effect, refutations: [...(effect.refutations ?? [])] }
}

/** The score holds what the contract has no field for. */
export function presentRisk({ fragility: _, confounding: __, ...risk }: Risk) {
  return risk
}

function presentExperience(experience: Experience): MessageInitShape<typeof ExperienceSchema> {
  const { objectiveId, target, intervention, outcome, stableValue, canaryValue, expected, canaryCount } =
    experience
  return {
    objectiveId,
    target,
    intervention,
    outcome,
    stableValue,
    canaryValue,
    expected: presentEffect(expected),
    measured: experience.measured ?? 0,
    canaryCount,
    at: timestampFromMs(experience.atMs),
  }
}
