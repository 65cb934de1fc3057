import type { KeyObject } from 'node:crypto'
import { Code, ConnectError } from '@connectrpc/connect'
import type { ChangeEvidence } from '../gen/nexus/governor/v1/warrant_pb.ts'
import { canonicalJson } from '../platform/canonical-json.ts'
import type { Clock } from '../platform/clock.ts'
import { type Journal, JournalConflictError, type NewEvent } from '../platform/journal/journal.ts'
import { digestOf, digestOfText } from '../platform/warrant/digest.ts'
import { signWarrant } from '../platform/warrant/sign.ts'
import { evidenceToJson } from '../platform/warrant/statement.ts'
import { maxClockSkewMs } from '../platform/warrant/verify.ts'
import { type Approval, isUsable } from './approval.ts'
import type { Approvals } from './approvals.ts'
import {
  type Authorization,
  type AuthorizationStream,
  authorizationStreamOf,
  authorizationsFrom,
  closedEvent,
  type IssuedWarrant,
  judgedEvent,
  warrantedEvent,
} from './authorization.ts'
import type { Events } from './events.ts'
import { type AutonomyWord, type Judgement, judge } from './judge.ts'
import type { Policy } from './policy.ts'
import { Serially } from './serially.ts'

/** What the authority answers. */
export interface Authorized {
  readonly outcome: 'permitted' | 'refused' | 'awaiting'
  readonly reasons: readonly string[]
  readonly policyDigest: string
  readonly warrant?: IssuedWarrant
  readonly approval?: Approval
}

export interface AuthorityParts {
  readonly journal: Journal
  readonly approvals: Approvals
  readonly policy: Policy
  readonly privateKey: KeyObject
  readonly clock: Clock
  readonly events: Events
  readonly approvalTtlS: number
  readonly warrantTtlS: number
}

/** Evidence is signed, journalled and sent; its canonical JSON may not be larger than this. */
export const maxEvidenceBytes = 64 * 1024
const maxTries = 5

/** Judges changes and signs warrants. Each answer is in the journal before it is given. */
export class Authority {
  readonly #parts: AuthorityParts
  readonly #serially = new Serially()

  constructor(parts: AuthorityParts) {
    this.#parts = parts
  }

  /**
   * Idempotent by change id and digest. Errors: invalid_argument for evidence that is too large; failed_precondition
   * for another change under the same id and digest; aborted when replicas keep racing.
   */
  authorize(evidence: ChangeEvidence, autonomy: AutonomyWord): Promise<Authorized> {
    checkSize(evidence)
    return this.#serially.run(evidence.changeId, async () => {
      for (let tries = 1; ; tries += 1) {
        try {
          return await this.#decide(evidence, autonomy)
        } catch (error) {
          if (!(error instanceof JournalConflictError)) throw error
          if (tries === maxTries)
            throw new ConnectError(
              'another replica keeps deciding on this change',
              Code.Aborted,
              undefined,
              undefined,
              error,
            )
        }
      }
    })
  }

  async #decide(evidence: ChangeEvidence, autonomy: AutonomyWord): Promise<Authorized> {
    const { journal, clock } = this.#parts
    const stream = authorizationsFrom(await journal.read(authorizationStreamOf(evidence.changeId)))
    const known = stream.byDigest.get(evidence.digest)
    if (known) checkSameChange(known.evidence, evidence)
    const nowMs = clock.nowMs()
    if (known?.outcome === 'awaiting') return this.#resume(stream, known, autonomy, nowMs)
    if (known && this.#stillHolds(known, nowMs)) return answerOf(known)
    return this.#judgeAnew(stream, { evidence, autonomy, known, nowMs })
  }

  #stillHolds(known: Authorization, nowMs: number): boolean {
    if (known.outcome === 'permitted') return this.#holdsNow(known.warrant?.expiresAtMs ?? 0, nowMs)
    return known.closed || known.policyDigest === this.#parts.policy.digest
  }

  /** One that was signed before the clock was set back is not valid yet, and nobody should wait until it is. */
  #holdsNow(expiresAtMs: number, nowMs: number): boolean {
    const issuedAtMs = expiresAtMs - this.#parts.warrantTtlS * 1000
    return expiresAtMs > nowMs && issuedAtMs <= nowMs + maxClockSkewMs
  }

  /** Asks again how the person's question stands. The approval is put first if a crash came in between. */
  async #resume(
    stream: AuthorizationStream,
    known: Authorization,
    autonomy: AutonomyWord,
    nowMs: number,
  ): Promise<Authorized> {
    const { approvals, policy } = this.#parts
    const question = known.approval
    if (!question) throw new Error(`authorization ${known.id} awaits an approval that it does not name`)
    const approval = await approvals.ask({ ...question, evidence: known.evidence, reasons: known.reasons })
    if (approval.state === 'pending') return { ...answerOf(known), approval }
    if (!isUsable(approval, nowMs)) return this.#close(stream, known, approval)
    // The person approved this evidence, so this is what is judged again and signed, whatever came with the request.
    const change = { evidence: approval.evidence, autonomy, approved: true }
    const judgement = judge(policy, change)
    const withName = { ...judgement, reasons: [approvedBy(approval), ...judgement.reasons] }
    return this.#record(stream, {
      judgement: withName,
      evidence: approval.evidence,
      autonomy,
      nowMs,
      approval,
    })
  }

  async #judgeAnew(
    stream: AuthorizationStream,
    request: { evidence: ChangeEvidence; autonomy: AutonomyWord; known?: Authorization; nowMs: number },
  ): Promise<Authorized> {
    const { evidence, autonomy, known, nowMs } = request
    const earlier = known?.approval && (await this.#parts.approvals.find(known.approval.id))
    if (earlier && isUsable(earlier, nowMs)) {
      const judgement = judge(this.#parts.policy, { evidence: earlier.evidence, autonomy, approved: true })
      return this.#record(stream, {
        judgement,
        evidence: earlier.evidence,
        autonomy,
        nowMs,
        approval: earlier,
      })
    }
    const judgement = judge(this.#parts.policy, { evidence, autonomy, approved: false })
    return this.#record(stream, { judgement, evidence, autonomy, nowMs })
  }

  /** Journals a judgement, with the warrant if there is one, in one append; then puts the question if there is one. */
  async #record(stream: AuthorizationStream, decision: Recorded): Promise<Authorized> {
    const { journal, policy, events } = this.#parts
    const { judgement, evidence } = decision
    const id = digestOf([evidence.changeId, evidence.digest, stream.sequence + 1]).slice(0, 32)
    const authorization = {
      id,
      evidence,
      outcome: judgement.outcome === 'needs_approval' ? ('awaiting' as const) : judgement.outcome,
      reasons: judgement.reasons,
      policyDigest: policy.digest,
      approval:
        judgement.outcome === 'needs_approval' ? this.#questionFor(id, decision.nowMs) : decision.approval,
    }
    const written: NewEvent[] = [judgedEvent(authorization, decision.autonomy)]
    const warrant = judgement.outcome === 'permitted' ? this.#sign(id, decision) : undefined
    if (warrant) written.push(warrantedEvent(evidence.digest, warrant, judgement.reasons))
    await journal.append(authorizationStreamOf(evidence.changeId), stream.sequence, written)
    events.authorized({ ...authorization, closed: false, warrant })
    const answer = answerOf({ ...authorization, closed: false, warrant })
    if (authorization.outcome !== 'awaiting' || !authorization.approval) return answer
    const approval = await this.#parts.approvals.ask({
      ...authorization.approval,
      evidence,
      reasons: judgement.reasons,
    })
    return { ...answer, approval }
  }

  /** The id begins with the time, so that sorted ids are sorted by age. */
  #questionFor(id: string, nowMs: number) {
    const time = Math.max(0, nowMs).toString(36).padStart(9, '0')
    return {
      id: `${time}-${id.slice(0, 12)}`,
      createdAtMs: nowMs,
      expiresAtMs: nowMs + this.#parts.approvalTtlS * 1000,
    }
  }

  #sign(authorizationId: string, { judgement, evidence, nowMs, approval }: Recorded): IssuedWarrant {
    const { policy, privateKey, warrantTtlS } = this.#parts
    const expiresAtMs = nowMs + warrantTtlS * 1000
    const statement = {
      evidence,
      permits: judgement.permits,
      policyDigest: policy.digest,
      authorizationId,
      ...(approval && { approvalId: approval.id, approvedBy: approval.decidedBy }),
      issuedAtMs: nowMs,
      expiresAtMs,
    }
    return { envelope: signWarrant(statement, privateKey), expiresAtMs }
  }

  async #close(stream: AuthorizationStream, known: Authorization, approval: Approval): Promise<Authorized> {
    const { journal, approvals, events } = this.#parts
    const reasons = [noFrom(approval)]
    if (approval.state === 'expired') await approvals.settleExpired(approval)
    const { changeId, digest } = known.evidence
    await journal.append(authorizationStreamOf(changeId), stream.sequence, [closedEvent(digest, reasons)])
    const refused = { ...known, outcome: 'refused' as const, reasons, closed: true }
    events.authorized(refused)
    return answerOf(refused)
  }
}

interface Recorded {
  readonly judgement: Judgement
  readonly evidence: ChangeEvidence
  readonly autonomy: AutonomyWord
  readonly nowMs: number
  /** The approval that the judgement rests on. */
  readonly approval?: Approval
}

function answerOf({ outcome, reasons, policyDigest, warrant }: Authorization): Authorized {
  return { outcome, reasons, policyDigest, warrant }
}

function approvedBy(approval: Approval): string {
  return `approved by ${approval.decidedBy}${approval.comment ? `: ${approval.comment}` : ''}`
}

function noFrom(approval: Approval): string {
  const at = new Date(approval.expiresAtMs).toISOString()
  if (approval.state === 'denied')
    return `denied by ${approval.decidedBy}${approval.comment ? `: ${approval.comment}` : ''}`
  if (approval.state === 'approved')
    return `the approval by ${approval.decidedBy} ended at ${at} before it was used, which means no`
  return `nobody approved it until ${at}, which means no`
}

function checkSize(evidence: ChangeEvidence): void {
  const bytes = canonicalJson(evidenceToJson(evidence)).length
  if (bytes <= maxEvidenceBytes) return
  throw new ConnectError(
    `evidence: it has ${bytes} bytes as JSON, at most ${maxEvidenceBytes} are signed: shorten paths and author_detail`,
    Code.InvalidArgument,
  )
}

/** The digest leaves out what the meta-controller adds (risk, effect), which may be computed anew; what it identifies may not differ. */
function checkSameChange(known: ChangeEvidence, asked: ChangeEvidence): void {
  const identity = ({ target, tree, baseCommit, author, intervention, paths }: ChangeEvidence) =>
    digestOfText(canonicalJson([target, tree, baseCommit, author, intervention, paths]))
  if (identity(known) === identity(asked)) return
  throw new ConnectError(
    `evidence: change ${asked.changeId} was judged before with digest ${asked.digest} but another target, tree, base commit, author, intervention or paths; a changed change needs its own digest`,
    Code.FailedPrecondition,
  )
}
