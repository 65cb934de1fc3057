import type { JsonValue } from '@bufbuild/protobuf'
import { z } from 'zod'
import type { ChangeEvidence } from '../gen/nexus/governor/v1/warrant_pb.ts'
import type { JournalEvent, NewEvent } from '../platform/journal/journal.ts'
import { evidenceFromJson, evidenceToJson } from '../platform/warrant/statement.ts'

/**
 * A question to a person, replayed from its stream `approval/<id>`:
 *   asked → decided (approved or denied), once
 *   asked → expired, once; what expires before anyone decides is a no for good
 * A yes can be used until `expiresAtMs`, and then no longer.
 */
export interface Approval {
  readonly id: string
  readonly evidence: ChangeEvidence
  readonly reasons: readonly string[]
  readonly state: ApprovalWord
  /** Empty while nobody has. */
  readonly decidedBy: string
  readonly comment: string
  readonly createdAtMs: number
  readonly expiresAtMs: number
  /** Events in the stream. */
  readonly sequence: number
  /** When the newest event was written; the clock is not believed when it says less. */
  readonly seenMs: number
}

export type ApprovalWord = 'pending' | 'approved' | 'denied' | 'expired'

const asked = z.object({
  evidence: z.record(z.string(), z.unknown()),
  reasons: z.array(z.string()),
  created_at_ms: z.number(),
  expires_at_ms: z.number(),
})
const decided = z.object({ approve: z.boolean(), approver: z.string(), comment: z.string() })

export const approvalPrefix = 'approval/'

export function askedEvent(
  approval: Pick<Approval, 'evidence' | 'reasons' | 'createdAtMs' | 'expiresAtMs'>,
): NewEvent {
  return {
    type: 'asked',
    data: {
      evidence: evidenceToJson(approval.evidence),
      reasons: approval.reasons,
      created_at_ms: approval.createdAtMs,
      expires_at_ms: approval.expiresAtMs,
    },
  }
}

export function decidedEvent(decision: { approve: boolean; approver: string; comment: string }): NewEvent {
  return { type: 'decided', data: { ...decision } }
}

export function expiredEvent(): NewEvent {
  return { type: 'expired', data: {} }
}

/** Replays a stream; undefined for an empty one. Errors: when an event is not one of ours. */
export function approvalFrom(events: readonly JournalEvent[]): Approval | undefined {
  const [first] = events
  const last = events.at(-1)
  if (!first || !last) return undefined
  const question = asked.parse(first.data)
  const begun: Approval = {
    id: first.stream.slice(approvalPrefix.length),
    evidence: evidenceFromJson(question.evidence as JsonValue),
    reasons: question.reasons,
    state: 'pending',
    decidedBy: '',
    comment: '',
    createdAtMs: question.created_at_ms,
    expiresAtMs: question.expires_at_ms,
    sequence: last.sequence,
    seenMs: last.atMs,
  }
  return events.slice(1).reduce(applyEvent, begun)
}

function applyEvent(approval: Approval, event: JournalEvent): Approval {
  if (event.type === 'expired') return { ...approval, state: 'expired' }
  const { approve, approver, comment } = decided.parse(event.data)
  return { ...approval, state: approve ? 'approved' : 'denied', decidedBy: approver, comment }
}

/** The approval as it stands now: what nobody decided in time is expired, whether that has been written down or not. */
export function approvalAt(approval: Approval, nowMs: number): Approval {
  return approval.state === 'pending' && isOver(approval, nowMs)
    ? { ...approval, state: 'expired' }
    : approval
}

/** Whether a warrant may rest on it now. */
export function isUsable(approval: Approval, nowMs: number): boolean {
  return approval.state === 'approved' && !isOver(approval, nowMs)
}

function isOver(approval: Approval, nowMs: number): boolean {
  return Math.max(nowMs, approval.seenMs) >= approval.expiresAtMs
}
