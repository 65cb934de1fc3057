import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Clock } from '../platform/clock.ts'
import {
  type Journal,
  JournalConflictError,
  type JournalEvent,
  type NewEvent,
} from '../platform/journal/journal.ts'
import type { TokenUsage } from './model.ts'

/** The day's tokens do not suffice. Nothing was sent. */
export class BudgetSpentError extends Error {
  override readonly name = 'BudgetSpentError'
}

/** Tokens that are set aside for one request. Settled once, with what it cost; until then all of them count as used. */
export interface Reservation {
  readonly most: TokenUsage
  settle(cost: TokenUsage): Promise<void>
}

const entry = z.object({ id: z.string(), input_tokens: z.number(), output_tokens: z.number() })

const maxTries = 20

/**
 * The tokens of a day (UTC), in the journal's stream `budget/<day>`, so that neither a restart nor a second replica gets
 * the day anew. A request is reserved before it is sent, with the most that it can cost, and settled afterwards; what a
 * killed process left unsettled stays reserved. So a day's use can never pass the budget, as long as the provider keeps to
 * the limit of output tokens that it is given.
 */
export class TokenBudget {
  readonly #journal: Journal
  readonly #clock: Clock
  readonly #tokensPerDay: number
  #day: Day
  #tail: Promise<unknown> = Promise.resolve()

  constructor(options: { journal: Journal; clock: Clock; tokensPerDay: number }) {
    this.#journal = options.journal
    this.#clock = options.clock
    this.#tokensPerDay = options.tokensPerDay
    this.#day = emptyDay('')
  }

  get tokensPerDay(): number {
    return this.#tokensPerDay
  }

  /** Errors: BudgetSpentError. */
  async reserve(most: TokenUsage): Promise<Reservation> {
    const id = randomUUID()
    const day = await this.#inTurn(async () => {
      await this.#write(this.#today(), () => {
        const { inputTokens, outputTokens } = usedOn(this.#day)
        const asked = most.inputTokens + most.outputTokens
        const left = this.#tokensPerDay - inputTokens - outputTokens
        if (asked > left) throw new BudgetSpentError(wordsOf(asked, left, this.#tokensPerDay, this.#day.name))
        return {
          type: 'reserved',
          data: { id, input_tokens: most.inputTokens, output_tokens: most.outputTokens },
        }
      })
      return this.#day.name
    })
    return { most, settle: (cost) => this.#settle(day, id, cost) }
  }

  /** What was used today, what is under way included. */
  async used(): Promise<TokenUsage> {
    return this.#inTurn(async () => {
      await this.#catchUp(this.#today())
      return usedOn(this.#day)
    })
  }

  async #settle(day: string, id: string, cost: TokenUsage): Promise<void> {
    const event = {
      type: 'settled',
      data: { id, input_tokens: cost.inputTokens, output_tokens: cost.outputTokens },
    }
    await this.#inTurn(() => this.#write(day, () => event))
  }

  #today(): string {
    return new Date(this.#clock.nowMs()).toISOString().slice(0, 10)
  }

  /** One at a time within the process; the journal's expected sequence keeps replicas apart. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work)
    this.#tail = result.catch(() => undefined)
    return result
  }

  async #write(day: string, decide: () => NewEvent): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      await this.#catchUp(day)
      try {
        const written = await this.#journal.append(`budget/${day}`, this.#day.sequence, [decide()])
        for (const event of written) applyTo(this.#day, event)
        return
      } catch (error) {
        if (!(error instanceof JournalConflictError) || tries === maxTries) throw error
        // Another replica wrote: what it wrote is read before this is decided again.
        this.#day = emptyDay('')
      }
    }
  }

  async #catchUp(day: string): Promise<void> {
    if (this.#day.name === day) return
    const fresh = emptyDay(day)
    for (const event of await this.#journal.read(`budget/${day}`)) applyTo(fresh, event)
    this.#day = fresh
  }
}

interface Day {
  readonly name: string
  readonly open: Map<string, TokenUsage>
  spent: TokenUsage
  sequence: number
}

function emptyDay(name: string): Day {
  return { name, open: new Map(), spent: { inputTokens: 0, outputTokens: 0 }, sequence: 0 }
}

function applyTo(day: Day, event: JournalEvent): void {
  day.sequence = event.sequence
  const { id, input_tokens: inputTokens, output_tokens: outputTokens } = entry.parse(event.data)
  if (event.type === 'reserved') {
    day.open.set(id, { inputTokens, outputTokens })
    return
  }
  day.open.delete(id)
  day.spent = {
    inputTokens: day.spent.inputTokens + inputTokens,
    outputTokens: day.spent.outputTokens + outputTokens,
  }
}

function usedOn({ spent, open }: Day): TokenUsage {
  let { inputTokens, outputTokens } = spent
  for (const each of open.values()) {
    inputTokens += each.inputTokens
    outputTokens += each.outputTokens
  }
  return { inputTokens, outputTokens }
}

function wordsOf(asked: number, left: number, perDay: number, day: string): string {
  return `the token budget does not suffice: this call may cost ${asked} tokens, ${Math.max(0, left)} of ${perDay} are left for ${day} (UTC); raise NEXUS_LLM_DAILY_TOKEN_BUDGET or wait for the next day`
}
