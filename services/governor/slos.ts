import { Code, ConnectError } from '@connectrpc/connect'
import { z } from 'zod'
import { canonicalJson } from '../platform/canonical-json.ts'
import type { Clock } from '../platform/clock.ts'
import { type Journal, JournalConflictError } from '../platform/journal/journal.ts'
import { type GoldenSlot, goldenSignals } from '../platform/signals/golden.ts'
import { type SignalSource, SignalsUnavailableError } from '../platform/signals/signals.ts'
import { type BudgetReading, cutOf, readBudget } from './error-budget.ts'
import type { Events } from './events.ts'
import { type Objective, OpenSloError, parseObjectives } from './openslo.ts'
import { Serially } from './serially.ts'

export interface SlosParts {
  readonly journal: Journal
  readonly signals: SignalSource
  readonly clock: Clock
  readonly events: Events
  readonly resolutionS: number
}

/** An SLO with its reading at a time. */
export interface Budget extends BudgetReading {
  readonly objective: Objective
  readonly atMs: number
}

/** A journal event holds at most 256 KiB. */
const maxDocumentsBytes = 192 * 1024
const applied = z.object({ documents: z.array(z.string()) })

/** The SLOs of each target, in the journal as the documents that they were given as (stream `slos/<target>`). */
export class Slos {
  readonly #parts: SlosParts
  readonly #serially = new Serially()

  constructor(parts: SlosParts) {
    this.#parts = parts
  }

  /** Replaces a target's SLOs, all or none. The same documents again change nothing. Errors: invalid_argument naming document and field. */
  async apply(target: string, documents: readonly string[]): Promise<Objective[]> {
    const objectives = understand(documents)
    return this.#serially.run(target, async () => {
      const { stored, sequence } = await this.#read(target)
      if (stored && canonicalJson(stored) === canonicalJson(documents)) return objectives
      try {
        await this.#parts.journal.append(streamOf(target), sequence, [
          { type: 'applied', data: { documents } },
        ])
      } catch (error) {
        if (!(error instanceof JournalConflictError)) throw error
        throw new ConnectError(
          `the SLOs of ${target} have just been replaced by someone else`,
          Code.Aborted,
          undefined,
          undefined,
          error,
        )
      }
      this.#parts.events.slosApplied(target, objectives)
      return objectives
    })
  }

  /** Reads the error budgets of a target. Errors: not_found before any SLOs were applied; unavailable without telemetry. */
  async budgets(target: string): Promise<Budget[]> {
    const { stored } = await this.#read(target)
    if (!stored) throw new ConnectError(`no SLOs have been applied for target ${target}`, Code.NotFound)
    const budgets: Budget[] = []
    const nowMs = this.#parts.clock.nowMs()
    const cache = new Map<string, Promise<GoldenSlot[]>>()
    for (const objective of parseObjectives(stored)) {
      const budget = await this.#budgetOf(objective, nowMs, cache)
      this.#parts.events.budgetRead(target, objective, budget)
      budgets.push(budget)
    }
    return budgets
  }

  async #budgetOf(
    objective: Objective,
    nowMs: number,
    cache: Map<string, Promise<GoldenSlot[]>>,
  ): Promise<Budget> {
    const cut = cutOf(objective.windowS, this.#parts.resolutionS)
    const slotMs = cut.slotS * 1000
    const { service, namespace, method } = objective.indicator
    const query = {
      service,
      namespace,
      method,
      startMs: nowMs - cut.slotCount * slotMs,
      endMs: nowMs,
      slotMs,
    }
    const key = canonicalJson(query)
    const slots = cache.get(key) ?? goldenSignals(this.#parts.signals, query)
    cache.set(key, slots)
    return { objective, atMs: nowMs, ...readBudget(objective, await answered(slots), cut) }
  }

  async #read(target: string): Promise<{ stored?: readonly string[]; sequence: number }> {
    const last = (await this.#parts.journal.read(streamOf(target))).at(-1)
    return { stored: last && applied.parse(last.data).documents, sequence: last?.sequence ?? 0 }
  }
}

function streamOf(target: string): string {
  return `slos/${target}`
}

function understand(documents: readonly string[]): Objective[] {
  const bytes = Buffer.byteLength(canonicalJson(documents), 'utf8')
  if (bytes > maxDocumentsBytes) {
    throw new ConnectError(
      `documents: together they have ${bytes} bytes as JSON, at most ${maxDocumentsBytes} are kept`,
      Code.InvalidArgument,
    )
  }
  try {
    return parseObjectives(documents)
  } catch (error) {
    if (!(error instanceof OpenSloError)) throw error
    throw new ConnectError(`documents: ${error.message}`, Code.InvalidArgument, undefined, undefined, error)
  }
}

async function answered(slots: Promise<GoldenSlot[]>): Promise<GoldenSlot[]> {
  try {
    return await slots
  } catch (error) {
    if (!(error instanceof SignalsUnavailableError)) throw error
    throw new ConnectError('telemetry cannot be read now', Code.Unavailable, undefined, undefined, error)
  }
}
