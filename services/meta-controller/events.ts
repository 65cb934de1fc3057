import { trace } from '@opentelemetry/api'
import { Counter, Gauge, type Registry } from 'prom-client'
import type { Log } from '../platform/log.ts'
import type { Ending, ObjectiveState, StageName } from './objective.ts'

/** Everything that the meta-controller reports: a log line, a counter and a span event for each. */
export interface Events {
  accepted(state: ObjectiveState): void
  resumed(state: ObjectiveState): void
  stageDone(state: ObjectiveState, stage: StageName, message: string): void
  ended(state: ObjectiveState, ending: Ending, reason: string): void
  stageFailed(state: ObjectiveState, stage: StageName | undefined, error: unknown): void
  lostRace(objectiveId: string): void
  targetAdopted(target: string, slos: number): void
  targetUnusable(target: string, reason: string): void
}

export function createEvents(log: Log, registry: Registry): Events {
  const decisions = new Counter({
    name: 'nexus_decisions_total',
    help: 'Objectives that have ended, by goal, intervention (none: doing nothing) and outcome.',
    labelNames: ['goal', 'intervention', 'outcome'],
    registers: [registry],
  })
  const stages = new Counter({
    name: 'nexus_stages_total',
    help: 'Stages that were done, by stage.',
    labelNames: ['stage'],
    registers: [registry],
  })
  const running = new Gauge({
    name: 'nexus_objectives_running',
    help: 'Objectives that this process works on.',
    registers: [registry],
  })
  const note = (name: string, fields: Record<string, string>) => trace.getActiveSpan()?.addEvent(name, fields)
  return {
    accepted: (state) => {
      running.inc()
      log.info('objective accepted', { objective: state.id, ...state.wish })
      note('objective accepted', { objective: state.id })
    },
    resumed: (state) => {
      running.inc()
      log.info('objective resumed', { objective: state.id, sequence: state.sequence })
    },
    stageDone: (state, stage, message) => {
      stages.inc({ stage })
      log.info('stage done', { objective: state.id, turn: state.turn, stage, message })
      note('stage done', { objective: state.id, stage })
    },
    ended: (state, ending, reason) => {
      running.dec()
      const intervention = state.results.decide?.intervention ?? 'none'
      decisions.inc({ goal: state.wish.goal, intervention, outcome: ending })
      log.info('objective ended', { objective: state.id, ending, reason })
      note('objective ended', { objective: state.id, ending })
    },
    stageFailed: (state, stage, error) => {
      log.error('stage failed', { objective: state.id, turn: state.turn, stage, error })
      note('stage failed', { objective: state.id, stage: stage ?? '' })
    },
    targetAdopted: (target, slos) => log.info('target adopted', { target, slos }),
    targetUnusable: (target, reason) => log.warn('target unusable', { target, reason }),
    lostRace: (objectiveId) => {
      running.dec()
      log.info('another replica works on the objective', { objective: objectiveId })
    },
  }
}
