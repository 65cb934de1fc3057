import { Code, ConnectError } from '@connectrpc/connect'
import type { Clock } from '../platform/clock.ts'
import type { TokenAllowance } from './token-allowance.ts'

/** How long the one who waits for a model can wait. */
export interface Patience {
  /** What has not come by then is done without. Absent: hours. */
  readonly withinMs?: number
  /** Nobody waits any more. */
  readonly signal?: AbortSignal
}

/** What the llm-adapter says that a call cost. */
export interface Usage {
  readonly inputTokens: bigint
  readonly outputTokens: bigint
}

export interface GateParts {
  readonly allowance: TokenAllowance
  readonly clock: Clock
  readonly onStopped: (reason: string, forMs: number) => void
}

const callsAtOnce = 4
/** Nothing waits longer for a batch. */
const longestMs = 6 * 60 * 60 * 1000
/** A model that failed is let alone for so long. */
const pauseMs = 30_000
/** A failed call does not say what it cost. With these codes mostly nothing; with others all that was set aside counts. */
const freeCodes: ReadonlySet<Code> = new Set([
  Code.FailedPrecondition,
  Code.ResourceExhausted,
  Code.Unavailable,
  Code.InvalidArgument,
])
/** With these codes the next request may well be answered. */
const codesOfOneRequest: ReadonlySet<Code> = new Set([Code.Aborted, Code.InvalidArgument])

/** The model has answered, but not with anything that can be used for this request. */
export class UnusableReplyError extends Error {
  override readonly name = 'UnusableReplyError'
}

/** The time by which, and the reason for which, nobody waits any more. */
export function endOf({ withinMs = longestMs, signal }: Patience): AbortSignal {
  const time = AbortSignal.timeout(Math.floor(Math.min(longestMs, Math.max(0, withinMs))))
  return signal === undefined ? time : AbortSignal.any([signal, time])
}

/**
 * Stands before a model that is extra evidence and never in the way: a few calls at once, within the tokens of a day, and none
 * for a while after the model has failed. States:
 *
 *   asking → stopped (until a time) → asking
 */
export class ModelGate {
  readonly #parts: GateParts
  readonly #waiting: (() => void)[] = []
  #free = callsAtOnce
  #reason = ''
  #stoppedUntilMs = Number.NEGATIVE_INFINITY

  constructor(parts: GateParts) {
    this.#parts = parts
  }

  /** Why the model is not asked at the moment; empty while it is. */
  get stopped(): string {
    return this.#parts.clock.monotonicMs() < this.#stoppedUntilMs ? this.#reason : ''
  }

  /**
   * The reply to a request that costs at most `most` tokens; undefined when it was not made, did not come in time, or failed.
   * Errors: UnusableReplyError.
   */
  async ask<Reply extends { readonly usage?: Usage }>(
    most: number,
    end: AbortSignal,
    request: () => Promise<Reply>,
  ): Promise<Reply | undefined> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await this.#askNow(most, end, request)
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }

  async #askNow<Reply extends { readonly usage?: Usage }>(
    most: number,
    end: AbortSignal,
    request: () => Promise<Reply>,
  ): Promise<Reply | undefined> {
    if (this.stopped !== '' || end.aborted) return undefined
    const { allowance } = this.#parts
    if (!(await allowance.reserve(most))) {
      this.#stop(
        `the ${allowance.tokensPerDay} tokens of NEXUS_KNOWLEDGE_DAILY_TOKEN_BUDGET are used up for today (UTC)`,
        allowance.msLeftOfDay,
      )
      return undefined
    }
    let cost = 0
    try {
      const reply = await request()
      cost = Number((reply.usage?.inputTokens ?? 0n) + (reply.usage?.outputTokens ?? 0n))
      return reply
    } catch (error) {
      const { code, rawMessage } = ConnectError.from(error)
      cost = freeCodes.has(code) ? 0 : most
      if (end.aborted) return undefined
      if (codesOfOneRequest.has(code)) throw new UnusableReplyError(rawMessage, { cause: error })
      this.#stop(`the model cannot be asked: ${rawMessage}`, pauseMs)
      return undefined
    } finally {
      allowance.settle(most, cost)
    }
  }

  #stop(reason: string, forMs: number): void {
    if (this.stopped !== '') return
    this.#reason = reason
    this.#stoppedUntilMs = this.#parts.clock.monotonicMs() + forMs
    this.#parts.onStopped(reason, forMs)
  }
}
