import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect'
import type {
  MetaControllerService,
  SubmitObjectiveRequest,
} from '../gen/nexus/meta_controller/v1/meta_controller_service_pb.ts'
import { type ObjectiveEvent, ObjectiveEventSchema } from '../gen/nexus/meta_controller/v1/objective_pb.ts'
import type { JournalEvent } from '../platform/journal/journal.ts'
import {
  type Autonomy,
  apply,
  type Goal,
  type Metric,
  nextStage,
  type ObjectiveState,
  type Wish,
} from './objective.ts'
import type { Objectives } from './objectives.ts'
import { autonomyOf, presentObjective, stageCode } from './present.ts'
import type { Happening } from './watchers.ts'

const defaultPageSize = 50
const ownMetric: Record<Goal, Metric> = {
  reduce_latency: 'latency_p95',
  reduce_tail_latency: 'latency_p99',
  reduce_errors: 'error_rate',
}

export interface ServiceParts {
  readonly objectives: Objectives
  readonly targets: readonly string[]
  readonly defaultAutonomy: Autonomy
}

export function createMetaController(parts: ServiceParts): ServiceImpl<typeof MetaControllerService> {
  const { objectives } = parts
  return {
    async submitObjective(request, context) {
      const wish = wishOf(request, context, parts)
      const state = await objectives.submit(wish, request.requestId)
      return { objectiveId: state.id, objective: presentObjective(state) }
    },
    async getObjective({ objectiveId }) {
      return { objective: presentObjective(await objectives.get(objectiveId)) }
    },
    async listObjectives({ pageSize }) {
      const states = await objectives.list(pageSize || defaultPageSize)
      return { objectives: states.map(presentObjective) }
    },
    async *watchObjective({ objectiveId }, context) {
      for await (const event of watch(objectiveId, objectives, context.signal)) yield { event }
    },
    async cancelObjective({ objectiveId, reason }) {
      return {
        objective: presentObjective(await objectives.cancel(objectiveId, reason || 'a person canceled it')),
      }
    },
    async exportJournal({ objectiveId }) {
      return { journal: await objectives.export(objectiveId) }
    },
  }
}

function wishOf(request: SubmitObjectiveRequest, context: HandlerContext, parts: ServiceParts): Wish {
  const goal = request.goal as Goal
  return {
    goal,
    targetMetric: (request.targetMetric || ownMetric[goal]) as Metric,
    intervention: request.intervention,
    affectedMetrics: request.affectedMetrics,
    target: targetOf(request.target, parts.targets),
    autonomy: autonomyOf(request.autonomy) ?? parts.defaultAutonomy,
    submittedBy: context.requestHeader.get('x-consumer-username') ?? '',
  }
}

function targetOf(asked: string, targets: readonly string[]): string {
  const known = targets.join(', ')
  if (asked !== '') {
    if (targets.includes(asked)) return asked
    throw new ConnectError(
      `target: "${asked}" is not known; there is ${known || 'none: set NEXUS_TARGETS'}`,
      Code.NotFound,
    )
  }
  const [only, ...others] = targets
  if (only === undefined)
    throw new ConnectError('target: there is none; set NEXUS_TARGETS', Code.FailedPrecondition)
  if (others.length > 0) throw new ConnectError(`target: say which one of ${known}`, Code.InvalidArgument)
  return only
}

/** History, then what happens; each journalled event once, in order. Ends behind `ended`. */
async function* watch(
  id: string,
  objectives: Objectives,
  signal: AbortSignal,
): AsyncGenerator<ObjectiveEvent> {
  const { history, live } = await objectives.watch(id, signal)
  let state: ObjectiveState | undefined
  for (const event of history) {
    state = apply(state, event)
    yield presentEvent(state, event, '')
  }
  if (state?.ending !== undefined) return
  for await (const happening of live) {
    if (state !== undefined && happening.kind === 'progress') yield presentProgress(state, happening)
    if (happening.kind !== 'event' || happening.event.sequence <= (state?.sequence ?? 0)) continue
    state = apply(state, happening.event)
    yield presentEvent(state, happening.event, happening.message)
    if (state.ending !== undefined) return
  }
}

function presentEvent(state: ObjectiveState, event: JournalEvent, message: string): ObjectiveEvent {
  const data = event.data as { stage?: Parameters<typeof stageCode>[0] }
  return create(ObjectiveEventSchema, {
    sequence: BigInt(event.sequence),
    type: event.type,
    stage: stageCode(data.stage ?? nextStage(state)),
    message: message || state.reason,
    details: JSON.stringify(event.data),
    at: timestampFromMs(event.atMs),
    objective: presentObjective(state),
  })
}

function presentProgress(state: ObjectiveState, happening: Happening & { kind: 'progress' }): ObjectiveEvent {
  return create(ObjectiveEventSchema, {
    sequence: BigInt(state.sequence),
    type: 'progress',
    stage: stageCode(happening.stage),
    message: happening.message,
    details: happening.details === undefined ? '' : JSON.stringify(happening.details),
    at: timestampFromMs(happening.atMs),
    objective: presentObjective(state),
  })
}
