import { Code, ConnectError } from '@connectrpc/connect'
import type { Clock } from '../platform/clock.ts'
import { type Journal, JournalConflictError, type NewEvent } from '../platform/journal/journal.ts'
import { authorize } from './authorize.ts'
import { commit } from './commit.ts'
import { decide } from './decide.ts'
import { deploy } from './deploy.ts'
import type { Events } from './events.ts'
import { learn } from './learn.ts'
import {
  apply,
  type Ending,
  nextStage,
  type ObjectiveState,
  replay,
  type StageName,
  streamOf,
} from './objective.ts'
import { observe } from './observe.ts'
import { orient } from './orient.ts'
import { propose } from './propose.ts'
import { remember, type TurnEnd } from './remember.ts'
import { setRight } from './set-right.ts'
import type { Stage, StageContext, StageOutcome } from './stage.ts'
import type { Watchers } from './watchers.ts'

const stages: Record<StageName, Stage<unknown>> = {
  observe,
  orient,
  decide,
  propose,
  authorize,
  commit,
  deploy,
  learn,
}

/** Turns of one objective: each further one has at least one intervention less to choose from. */
export const maxTurns = 5
const maxReasonLength = 4000

/** What the mind works with; it is constructed in main.ts. */
export interface MindParts {
  readonly journal: Journal
  readonly clock: Clock
  readonly events: Events
  readonly watchers: Watchers
  readonly stageContext: Omit<StageContext, 'signal' | 'report' | 'awaitApproval'>
}

/**
 * Works one objective from where its journal stands to its end. Gives the ending, or undefined when the process drains
 * or another replica took over; a later start goes on from the journal. Never rejects but for a journal that cannot be used.
 */
export async function work(
  objectiveId: string,
  parts: MindParts,
  signals: WorkSignals,
): Promise<Ending | undefined> {
  const runner = new Runner(parts, signals, replay(await parts.journal.read(streamOf(objectiveId))))
  try {
    return await runner.run()
  } catch (error) {
    if (!(error instanceof JournalConflictError)) throw error
    parts.events.lostRace(objectiveId)
    return undefined
  }
}

/** `drain`: the process ends, the objective goes on later. `cancel`: a person ended the objective. */
export interface WorkSignals {
  readonly drain: AbortSignal
  readonly cancel: AbortSignal
}

class Runner {
  readonly #parts: MindParts
  readonly #signals: WorkSignals
  readonly #either: AbortSignal
  #state: ObjectiveState

  constructor(parts: MindParts, signals: WorkSignals, state: ObjectiveState) {
    this.#parts = parts
    this.#signals = signals
    this.#either = AbortSignal.any([signals.drain, signals.cancel])
    this.#state = state
  }

  async run(): Promise<Ending | undefined> {
    while (this.#state.ending === undefined) {
      if (this.#signals.drain.aborted) return undefined
      if (this.#state.cancelReason !== undefined) await this.#end('canceled', this.#state.cancelReason)
      else await this.#step()
    }
    return this.#state.ending
  }

  async #step(): Promise<void> {
    const stage = nextStage(this.#state)
    if (stage === undefined)
      return this.#end('failed', 'all stages are done and none of them ended the objective')
    try {
      const outcome = await stages[stage](this.#state, this.#contextOf(stage))
      await this.#record(stage, outcome)
    } catch (error) {
      await this.#fail(stage, error)
    }
  }

  /** Journals the result together with what follows from it, so that a crash never parts them. */
  async #record(stage: StageName, outcome: StageOutcome<unknown>): Promise<void> {
    const events: NewEvent[] = [{ type: 'stage_done', data: { stage, result: outcome.result } }]
    if (outcome.end !== undefined) events.push({ type: 'ended', data: bounded(outcome.end) })
    if (outcome.exclude !== undefined) events.push(this.#afterExclusion(outcome.exclude))
    this.#parts.events.stageDone(this.#state, stage, outcome.message)
    const end = outcome.end ?? (outcome.exclude && { ending: 'given_up', reason: outcome.exclude.reason })
    if (end !== undefined) {
      const results = { ...this.#state.results, [stage]: outcome.result }
      await this.#remember({ ...this.#state, results }, end)
    }
    await this.#append(events, outcome.message)
  }

  /** Before the end is journalled: who is killed in between ends the turn again, and tells it again under the same id. */
  async #remember(state: ObjectiveState, end: TurnEnd): Promise<void> {
    const { stageContext } = this.#parts
    const report = this.#reporter(nextStage(state))
    await remember(state, end, { ...stageContext, signal: this.#signals.drain, report })
  }

  #afterExclusion({ intervention, reason }: { intervention: string; reason: string }): NewEvent {
    const excluded = { ...this.#state.excluded, [intervention]: reason }
    const wished = this.#state.wish.intervention !== ''
    if (wished || this.#state.turn >= maxTurns) {
      return { type: 'ended', data: bounded({ ending: 'declined', reason: `${intervention}: ${reason}` }) }
    }
    return { type: 'turn_began', data: { turn: this.#state.turn + 1, excluded } }
  }

  /** A stage that threw: a drain leaves all as it is; a cancel is on the journal already; anything else ends the objective. */
  async #fail(stage: StageName, error: unknown): Promise<void> {
    if (error instanceof JournalConflictError) return this.#catchUp(error)
    if (this.#signals.drain.aborted) return
    if (this.#signals.cancel.aborted) return this.#catchUp(error)
    this.#parts.events.stageFailed(this.#state, stage, error)
    await this.#end('failed', `${stage}: ${reasonOf(error)}`)
  }

  /** Someone else appended: a cancel request is ours to act on, anything else means that another replica works here. */
  async #catchUp(cause: unknown): Promise<void> {
    const fresh = replay(await this.#parts.journal.read(streamOf(this.#state.id)))
    const onlyCancel = fresh.cancelReason !== undefined && fresh.sequence === this.#state.sequence + 1
    if (!onlyCancel) throw cause
    this.#state = fresh
  }

  async #end(ending: Ending, reason: string): Promise<void> {
    const { stageContext } = this.#parts
    const context = {
      ...stageContext,
      signal: this.#signals.drain,
      report: this.#reporter(nextStage(this.#state)),
    }
    const undone = await setRight(this.#state, reason, context)
    if (this.#signals.drain.aborted) return
    const whole = [reason, ...undone].join('; ')
    await this.#remember(this.#state, { ending, reason: whole })
    await this.#append([{ type: 'ended', data: bounded({ ending, reason: whole }) }], whole)
  }

  async #append(events: readonly NewEvent[], message: string): Promise<void> {
    const { journal, watchers } = this.#parts
    const appended = await journal.append(streamOf(this.#state.id), this.#state.sequence, events)
    for (const event of appended) {
      this.#state = apply(this.#state, event)
      watchers.publish(this.#state.id, { kind: 'event', event, message })
    }
    const { ending, reason } = this.#state
    if (ending !== undefined) this.#parts.events.ended(this.#state, ending, reason)
  }

  #contextOf(stage: StageName): StageContext {
    const awaitApproval = async (approvalId: string, reasons: readonly string[]) => {
      if (this.#state.approvalId === approvalId) return
      const message = `a person has to approve: ${reasons.join('; ')} (approval ${approvalId})`
      await this.#append([{ type: 'awaiting', data: { approvalId, reasons } }], message)
    }
    return { ...this.#parts.stageContext, signal: this.#either, report: this.#reporter(stage), awaitApproval }
  }

  #reporter(stage: StageName = 'learn'): StageContext['report'] {
    const { watchers, clock } = this.#parts
    return (message, details) =>
      watchers.publish(this.#state.id, { kind: 'progress', stage, message, details, atMs: clock.nowMs() })
  }
}

function bounded({ ending, reason }: { ending: Ending; reason: string }): { ending: Ending; reason: string } {
  return { ending, reason: reason.slice(0, maxReasonLength) }
}

/** What a person reads: a peer's own words where they say what to do, its code where they do not. */
function reasonOf(error: unknown): string {
  const connectError = ConnectError.from(error)
  return connectError.code === Code.Internal ? connectError.message : connectError.rawMessage
}
