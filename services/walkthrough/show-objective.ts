import type { Client } from '@connectrpc/connect'
import type { MetaControllerService } from '../gen/nexus/meta_controller/v1/meta_controller_service_pb.ts'
import { type Objective, type ObjectiveEvent, Stage } from '../gen/nexus/meta_controller/v1/objective_pb.ts'
import { invariant } from '../platform/invariant.ts'
import type { Narrator } from './narrator.ts'
import { showDecision } from './show-decision.ts'

const watchTimeoutMs = 300_000

const stageLabels: Record<Stage, string> = {
  [Stage.UNSPECIFIED]: '',
  [Stage.OBSERVE]: 'observe',
  [Stage.ORIENT]: 'orient',
  [Stage.DECIDE]: 'decide',
  [Stage.PROPOSE]: 'propose',
  [Stage.AUTHORIZE]: 'authorize',
  [Stage.COMMIT]: 'commit',
  [Stage.DEPLOY]: 'deploy',
  [Stage.LEARN]: 'learn',
}

/** A canary line comes each second; every so many are shown. */
const progressEvery = 5

/** Shows an objective live, stage by stage, and gives it as it ended. */
export async function showObjective(
  client: Client<typeof MetaControllerService>,
  objectiveId: string,
  narrator: Narrator,
): Promise<Objective> {
  let last: Objective | undefined
  let canaryLines = 0
  for await (const { event } of client.watchObjective({ objectiveId }, { timeoutMs: watchTimeoutMs })) {
    if (event === undefined) continue
    last = event.objective
    const label = stageLabels[event.stage] ?? ''
    if (event.type === 'progress') {
      if (event.stage !== Stage.DEPLOY || canaryLines++ % progressEvery === 0)
        narrator.progress(label, event.message)
    } else showEvent(event, label, narrator)
  }
  invariant(last !== undefined, 'an objective that is watched has events')
  return last
}

function showEvent(event: ObjectiveEvent, label: string, narrator: Narrator): void {
  const facts = { event: event.type, sequence: Number(event.sequence) }
  if (event.type === 'submitted') narrator.stage('objective', `${event.objective?.id} accepted`, facts)
  if (event.type === 'stage_done') {
    narrator.stage(label, event.message, { ...facts, result: resultOf(event) })
    const { decision } = event.objective ?? {}
    if (event.stage === Stage.AUTHORIZE && decision !== undefined) showDecision(decision, narrator)
  }
  if (event.type === 'turn_began')
    narrator.stage('objective', `turn ${event.objective?.turn}: ${event.message}`, facts)
  if (event.type === 'awaiting') narrator.stage(label, event.message, facts)
}

/** The stage's result for machines. The warrant stays out: it is a permission, not news. */
function resultOf(event: ObjectiveEvent): unknown {
  const { result } = JSON.parse(event.details) as { result?: Record<string, unknown> }
  const { envelope: _, ...shown } = result ?? {}
  return shown
}
