import type { JsonValue } from '@bufbuild/protobuf'
import { z } from 'zod'
import type { ChangeEvidence } from '../gen/nexus/governor/v1/warrant_pb.ts'
import type { JournalEvent, NewEvent } from '../platform/journal/journal.ts'
import { evidenceFromJson, evidenceToJson } from '../platform/warrant/statement.ts'

/**
 * What was decided on one digest of a change, replayed from the stream `authorization/<change id>`:
 *   judged(permitted) with warranted in one append
 *   judged(refused)
 *   judged(awaiting) → warranted, or closed when the person's answer is no or was not given in time
 * It may be judged again when its warrant has ended, or when it was refused by a policy that is no longer in force.
 */
export interface Authorization {
  readonly id: string
  readonly evidence: ChangeEvidence
  readonly outcome: 'permitted' | 'refused' | 'awaiting'
  readonly reasons: readonly string[]
  readonly policyDigest: string
  /** The question that was put to a person, if one was. */
  readonly approval?: { readonly id: string; readonly createdAtMs: number; readonly expiresAtMs: number }
  /** A person's no, said or by silence: no later judgement of the same digest changes it. */
  readonly closed: boolean
  readonly warrant?: IssuedWarrant
}

export interface IssuedWarrant {
  readonly envelope: string
  readonly expiresAtMs: number
}

/** All that was decided on one change: an authorization for each digest that was ever asked about. */
export interface AuthorizationStream {
  readonly byDigest: ReadonlyMap<string, Authorization>
  /** Events in the stream. */
  readonly sequence: number
}

const judged = z.object({
  id: z.string(),
  evidence: z.record(z.string(), z.unknown()),
  autonomy: z.string(),
  outcome: z.enum(['permitted', 'refused', 'awaiting']),
  reasons: z.array(z.string()),
  policy_digest: z.string(),
  approval: z.object({ id: z.string(), created_at_ms: z.number(), expires_at_ms: z.number() }).optional(),
})
const warranted = z.object({
  digest: z.string(),
  envelope: z.string(),
  expires_at_ms: z.number(),
  reasons: z.array(z.string()),
})
const closed = z.object({ digest: z.string(), reasons: z.array(z.string()) })

export function authorizationStreamOf(changeId: string): string {
  return `authorization/${changeId}`
}

export function judgedEvent(
  authorization: Omit<Authorization, 'closed' | 'warrant'>,
  autonomy: string,
): NewEvent {
  const { id, evidence, outcome, reasons, policyDigest, approval } = authorization
  return {
    type: 'judged',
    data: {
      id,
      evidence: evidenceToJson(evidence),
      autonomy,
      outcome,
      reasons,
      policy_digest: policyDigest,
      ...(approval && {
        approval: {
          id: approval.id,
          created_at_ms: approval.createdAtMs,
          expires_at_ms: approval.expiresAtMs,
        },
      }),
    },
  }
}

export function warrantedEvent(digest: string, warrant: IssuedWarrant, reasons: readonly string[]): NewEvent {
  return {
    type: 'warranted',
    data: { digest, envelope: warrant.envelope, expires_at_ms: warrant.expiresAtMs, reasons },
  }
}

export function closedEvent(digest: string, reasons: readonly string[]): NewEvent {
  return { type: 'closed', data: { digest, reasons } }
}

/** Replays a stream. Errors: when an event is not one of ours. */
export function authorizationsFrom(events: readonly JournalEvent[]): AuthorizationStream {
  const byDigest = new Map<string, Authorization>()
  for (const event of events) {
    const next = apply(byDigest, event)
    byDigest.set(next.evidence.digest, next)
  }
  return { byDigest, sequence: events.at(-1)?.sequence ?? 0 }
}

function apply(byDigest: ReadonlyMap<string, Authorization>, event: JournalEvent): Authorization {
  if (event.type === 'judged') return beginning(judged.parse(event.data))
  const { digest } = z.object({ digest: z.string() }).parse(event.data)
  const before = byDigest.get(digest)
  if (!before)
    throw new Error(
      `journal stream ${event.stream}: event ${event.sequence} is about a digest that was never judged`,
    )
  if (event.type === 'closed') {
    return { ...before, outcome: 'refused', reasons: closed.parse(event.data).reasons, closed: true }
  }
  const { envelope, expires_at_ms: expiresAtMs, reasons } = warranted.parse(event.data)
  return { ...before, outcome: 'permitted', reasons, warrant: { envelope, expiresAtMs } }
}

function beginning(data: z.infer<typeof judged>): Authorization {
  const { approval } = data
  return {
    id: data.id,
    evidence: evidenceFromJson(data.evidence as JsonValue),
    outcome: data.outcome,
    reasons: data.reasons,
    policyDigest: data.policy_digest,
    approval: approval && {
      id: approval.id,
      createdAtMs: approval.created_at_ms,
      expiresAtMs: approval.expires_at_ms,
    },
    closed: false,
  }
}
