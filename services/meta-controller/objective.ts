import { invariant } from '../platform/invariant.ts'
import type { JournalEvent } from '../platform/journal/journal.ts'
import type { Authorization } from './authorize.ts'
import type { Decision } from './decide.ts'
import type { DeploymentResult } from './deploy.ts'
import type { Experience } from './learn.ts'
import type { Observation } from './observe.ts'
import type { Situation } from './orient.ts'
import type { ProposedChange } from './propose.ts'

/** The stages of a turn, in order; a result of one is journalled before the next begins. */
export const stageNames = [
  'observe',
  'orient',
  'decide',
  'propose',
  'authorize',
  'commit',
  'deploy',
  'learn',
] as const
export type StageName = (typeof stageNames)[number]

/** What a person or a program asked for. */
export interface Wish {
  readonly goal: Goal
  readonly targetMetric: Metric
  /** Empty: the mind chooses. */
  readonly intervention: string
  readonly affectedMetrics: readonly string[]
  readonly target: string
  readonly autonomy: Autonomy
  readonly submittedBy: string
}

export const goals = ['reduce_latency', 'reduce_tail_latency', 'reduce_errors'] as const
export type Goal = (typeof goals)[number]
export const metrics = ['latency_p50', 'latency_p95', 'latency_p99', 'error_rate'] as const
export type Metric = (typeof metrics)[number]
export const autonomies = ['observe', 'propose', 'approve', 'auto'] as const
export type Autonomy = (typeof autonomies)[number]

/** The final states; `promoted` and `proposed` are those in which something was achieved. */
export const endings = [
  'promoted',
  'proposed',
  'declined',
  'refused',
  'aborted',
  'inconclusive',
  'failed',
  'canceled',
] as const
export type Ending = (typeof endings)[number]

/** What each stage of the present turn has given so far. */
export interface StageResults {
  readonly observe?: Observation
  readonly orient?: Situation
  readonly decide?: Decision
  readonly propose?: ProposedChange
  readonly authorize?: Authorization
  readonly commit?: { readonly commit: string; readonly branch: string }
  readonly deploy?: DeploymentResult
  readonly learn?: Experience
}

/**
 * An objective as replaying its journal stream gives it. States:
 *
 *   submitted → (turn began → a result of each stage, in order)* → ended
 *
 * `awaiting` marks that a person is asked between propose and authorize; `cancel requested` may stand anywhere and makes
 * the runner put back what is under way and end. After `ended` nothing follows.
 */
export interface ObjectiveState {
  readonly id: string
  readonly wish: Wish
  readonly turn: number
  /** Interventions that an earlier turn found impossible here, with the reason. */
  readonly excluded: Readonly<Record<string, string>>
  readonly results: StageResults
  readonly approvalId: string
  readonly cancelReason?: string
  readonly ending?: Ending
  readonly reason: string
  readonly sequence: number
  readonly createdAtMs: number
  readonly updatedAtMs: number
}

/** Events of an `objective/<id>` stream by type. */
export interface ObjectiveEventData {
  submitted: { id: string; wish: Wish }
  turn_began: { turn: number; excluded: Record<string, string> }
  stage_done: { stage: StageName; result: unknown }
  awaiting: { approvalId: string; reasons: readonly string[] }
  cancel_requested: { reason: string }
  ended: { ending: Ending; reason: string }
}
export type ObjectiveEventType = keyof ObjectiveEventData

export function streamOf(objectiveId: string): string {
  return `objective/${objectiveId}`
}

/** Replays a stream. Errors: InvariantError for an empty stream or an unknown event. */
export function replay(events: readonly JournalEvent[]): ObjectiveState {
  let state: ObjectiveState | undefined
  for (const event of events) state = apply(state, event)
  invariant(state, 'an objective stream begins with submitted')
  return state
}

/** The state after one more event. */
export function apply(state: ObjectiveState | undefined, event: JournalEvent): ObjectiveState {
  const type = event.type as ObjectiveEventType
  if (type === 'submitted') {
    const { id, wish } = event.data as unknown as ObjectiveEventData['submitted']
    const times = { createdAtMs: event.atMs, updatedAtMs: event.atMs }
    const empty = { turn: 1, excluded: {}, results: {}, approvalId: '', reason: '' }
    return { id, wish, ...empty, sequence: event.sequence, ...times }
  }
  invariant(state, `an objective stream begins with submitted, not ${type}`)
  return { ...state, ...changeBy(state, type, event.data), sequence: event.sequence, updatedAtMs: event.atMs }
}

function changeBy(state: ObjectiveState, type: ObjectiveEventType, data: unknown): Partial<ObjectiveState> {
  switch (type) {
    case 'turn_began': {
      const { turn, excluded } = data as ObjectiveEventData['turn_began']
      return { turn, excluded, results: {}, approvalId: '' }
    }
    case 'stage_done': {
      const { stage, result } = data as ObjectiveEventData['stage_done']
      return { results: { ...state.results, [stage]: result } }
    }
    case 'awaiting': {
      const { approvalId, reasons } = data as ObjectiveEventData['awaiting']
      return { approvalId, reason: reasons.join('; ') }
    }
    case 'cancel_requested':
      return { cancelReason: (data as ObjectiveEventData['cancel_requested']).reason }
    case 'ended': {
      const { ending, reason } = data as ObjectiveEventData['ended']
      return { ending, reason }
    }
    default:
      invariant(type === 'submitted', `unknown objective event ${type}`)
      return {}
  }
}

/** The stage that comes next; undefined after the last one. */
export function nextStage(state: ObjectiveState): StageName | undefined {
  return stageNames.find((name) => state.results[name] === undefined)
}
