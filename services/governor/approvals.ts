import { Code, ConnectError } from '@connectrpc/connect'
import type { Clock } from '../platform/clock.ts'
import { type Journal, JournalConflictError, type NewEvent } from '../platform/journal/journal.ts'
import {
  type Approval,
  type ApprovalWord,
  approvalAt,
  approvalFrom,
  approvalPrefix,
  askedEvent,
  decidedEvent,
  expiredEvent,
} from './approval.ts'
import type { Events } from './events.ts'
import { Serially } from './serially.ts'

/** A person's answer. */
export interface Decision {
  readonly approvalId: string
  readonly digest: string
  readonly approve: boolean
  readonly approver: string
  readonly comment: string
}

export interface ApprovalsParts {
  readonly journal: Journal
  readonly clock: Clock
  readonly events: Events
}

/** More approvals than this are not searched through for one page; older ones are found by their id. */
const maxScanned = 2_000
const maxApproverLength = 256

/** The approvals in the journal. */
export class Approvals {
  readonly #parts: ApprovalsParts
  readonly #serially = new Serially()

  constructor(parts: ApprovalsParts) {
    this.#parts = parts
  }

  /** As it stands now; undefined when it was never asked. */
  async find(id: string): Promise<Approval | undefined> {
    const approval = approvalFrom(await this.#parts.journal.read(approvalPrefix + id))
    return approval && approvalAt(approval, this.#parts.clock.nowMs())
  }

  /** Puts the question, unless it has been put before: then as it stands. */
  async ask(
    question: Pick<Approval, 'id' | 'evidence' | 'reasons' | 'createdAtMs' | 'expiresAtMs'>,
  ): Promise<Approval> {
    return this.#serially.run(question.id, async () => {
      const before = await this.find(question.id)
      if (before) return before
      const asked = await this.#appendFirst(question.id, askedEvent(question))
      const approval = await this.find(question.id)
      if (!approval) throw new Error(`approval ${question.id} is gone from the journal`)
      if (asked) this.#parts.events.approvalAsked(approval)
      return approval
    })
  }

  /**
   * Records a person's answer. The same answer of the same person again changes nothing. Errors: not_found;
   * failed_precondition for another digest, and when it is decided otherwise or expired; permission_denied for a proposer.
   */
  async decide(decision: Decision): Promise<Approval> {
    checkApprover(decision.approver)
    return this.#serially.run(decision.approvalId, async () => {
      const approval = await this.find(decision.approvalId)
      if (!approval) throw new ConnectError(`approval ${decision.approvalId} does not exist`, Code.NotFound)
      if (isSameAnswer(approval, decision)) return approval
      await this.#checkOpen(approval, decision)
      const { approve, approver, comment } = decision
      await this.#append(approval.id, approval.sequence, decidedEvent({ approve, approver, comment }))
      const decided = await this.find(approval.id)
      if (!decided) throw new Error(`approval ${approval.id} is gone from the journal`)
      this.#parts.events.approvalDecided(decided)
      return decided
    })
  }

  /** Newest first. */
  async list(filter: { state?: ApprovalWord; limit: number }): Promise<Approval[]> {
    const streams = await this.#parts.journal.streams(approvalPrefix)
    const found: Approval[] = []
    for (const stream of streams.toSorted().toReversed().slice(0, maxScanned)) {
      if (found.length >= filter.limit) break
      const approval = await this.find(stream.slice(approvalPrefix.length))
      if (approval && (filter.state === undefined || approval.state === filter.state)) found.push(approval)
    }
    return found
  }

  /** Writes down that nobody decided in time, so that a clock that goes back cannot undo it. */
  async settleExpired(approval: Approval): Promise<void> {
    await this.#serially.run(approval.id, () => this.#writeExpired(approval.id))
  }

  async #writeExpired(id: string): Promise<void> {
    const stored = approvalFrom(await this.#parts.journal.read(approvalPrefix + id))
    if (stored?.state !== 'pending') return
    await this.#append(id, stored.sequence, expiredEvent())
    this.#parts.events.approvalExpired(stored)
  }

  async #checkOpen(approval: Approval, decision: Decision): Promise<void> {
    const refuse = (why: string) => {
      throw new ConnectError(`approval ${approval.id} ${why}`, Code.FailedPrecondition)
    }
    if (approval.evidence.digest !== decision.digest) {
      refuse(`is about digest ${approval.evidence.digest}, not ${decision.digest}: read the change again`)
    }
    if (approval.state === 'expired') {
      await this.#writeExpired(approval.id)
      refuse(`expired at ${new Date(approval.expiresAtMs).toISOString()}, which means no`)
    }
    if (approval.state !== 'pending') refuse(`has been ${approval.state} by ${approval.decidedBy} already`)
  }

  /** Whether it was the first; if not, another replica has put the same question, which is as good. */
  async #appendFirst(id: string, event: NewEvent): Promise<boolean> {
    try {
      await this.#parts.journal.append(approvalPrefix + id, 0, [event])
      return true
    } catch (error) {
      if (error instanceof JournalConflictError) return false
      throw error
    }
  }

  async #append(id: string, sequence: number, event: NewEvent): Promise<void> {
    try {
      await this.#parts.journal.append(approvalPrefix + id, sequence, [event])
    } catch (error) {
      if (!(error instanceof JournalConflictError)) throw error
      throw new ConnectError(
        `approval ${id} has just been changed by someone else: look again`,
        Code.Aborted,
        undefined,
        undefined,
        error,
      )
    }
  }
}

function isSameAnswer(approval: Approval, { approve, approver, digest }: Decision): boolean {
  const state = approve ? 'approved' : 'denied'
  return approval.state === state && approval.decidedBy === approver && approval.evidence.digest === digest
}

/** NEXUS proposes, so nothing that bears its name may approve: neither a service nor an identity such as `nexus:meta-controller`. */
const proposers =
  /^(nexus([:/@._-].*)?|(spiffe|system):.*|meta-controller|code-modifier|deployer|governor|orchestrator|llm-adapter|execution-sandbox|knowledge-retriever|console)$/i

function checkApprover(approver: string): void {
  if (approver === '') {
    throw new ConnectError(
      'approver: name who decides, or come through the gateway, which names its consumer',
      Code.InvalidArgument,
    )
  }
  if (
    approver.length > maxApproverLength ||
    approver !== approver.trim() ||
    /\p{Cc}|\p{Cf}/u.test(approver)
  ) {
    throw new ConnectError('approver: it must be a plain name', Code.InvalidArgument)
  }
  if (proposers.test(approver)) {
    throw new ConnectError(
      `approver: ${approver} is NEXUS itself, which proposes; a person has to decide`,
      Code.PermissionDenied,
    )
  }
}
