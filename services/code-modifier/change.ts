import type { Author } from '../gen/nexus/governor/v1/warrant_pb.ts'
import { invariant } from '../platform/invariant.ts'
import type { JournalEvent } from '../platform/journal/journal.ts'
import { digestOf } from '../platform/warrant/digest.ts'
import type { MeasuredOperation } from './check/measure.ts'

/** Something that a scanner saw in the changed code and not in the base. */
export interface Finding {
  readonly rule: string
  readonly severity: 'note' | 'blocking'
  readonly path: string
  readonly line: number
  readonly message: string
}

/** One gate that the change went through. */
export interface Check {
  readonly name: string
  readonly passed: boolean
  readonly detail: string
  readonly durationMs: number
  readonly tier: string
}

/** What makes one proposal differ from another; its digest is the change's id. */
export interface ProposalKey {
  readonly objectiveId: string
  readonly turn: number
  readonly target: string
  readonly intervention: string
  readonly base: string
}

/** A proposal as it is journalled, refused or not. */
export interface Proposal extends ProposalKey {
  readonly id: string
  readonly targetBranch: string
  /** The git tree that it ends in, written to the mirror; empty when refused. */
  readonly tree: string
  readonly diff: string
  readonly paths: readonly string[]
  readonly linesAdded: number
  readonly linesRemoved: number
  readonly author: Author
  readonly authorDetail: string
  readonly summary: string
  readonly findings: readonly Finding[]
  readonly checks: readonly Check[]
  readonly benchmark: readonly MeasuredOperation[]
  readonly profileShare: number
  readonly sandboxTier: string
  /** Why it was refused; empty when it was not. */
  readonly refusal: string
  /** See `digestOfProposal`. */
  readonly digest: string
}

/**
 * A change as replaying its journal stream `change/<id>` gives it. States:
 *
 *   proposed → committing → committed → promoted
 *      |                        |           |
 *   refused                     └→ reverting → reverted
 *
 * `committing` and `reverting` hold the time that goes into the commit: after a crash the same commit is written again.
 */
export interface ChangeState {
  readonly proposal: Proposal
  readonly createdAtMs: number
  readonly sequence: number
  readonly committing?: { readonly atMs: number; readonly warrantDigest: string }
  readonly commit?: string
  readonly promoted: boolean
  readonly reverting?: { readonly atMs: number; readonly reason: string }
  readonly revertCommit?: string
}

/** Events of a `change/<id>` stream by type. */
export interface ChangeEventData {
  proposed: Proposal
  committing: { atMs: number; warrantDigest: string }
  committed: { commit: string }
  promoted: { branch: string }
  reverting: { atMs: number; reason: string }
  reverted: { commit: string }
}

export function streamOf(changeId: string): string {
  return `change/${changeId}`
}

export function branchOf(changeId: string): string {
  return `nexus/${changeId}`
}

/** `c-` and 16 hex digits: the same for the same objective, turn, target, intervention and base. */
export function changeIdOf(key: ProposalKey): string {
  const { objectiveId, turn, target, intervention, base } = key
  return `c-${digestOf({ objectiveId, turn, target, intervention, base }).slice(0, 16)}`
}

/** Digest over all that a warrant vouches for: what changes, who wrote it, and what was found. Times of gates are left out. */
export function digestOfProposal(proposal: Omit<Proposal, 'digest'>): string {
  const { checks, id, ...rest } = proposal
  return digestOf({ ...rest, id, checks: checks.map(({ durationMs: _, ...check }) => check) })
}

/** Undefined for an empty stream. Errors: InvariantError for an unknown event. */
export function replay(events: readonly JournalEvent[]): ChangeState | undefined {
  return events.reduce<ChangeState | undefined>(apply, undefined)
}

function apply(state: ChangeState | undefined, event: JournalEvent): ChangeState {
  const type = event.type as keyof ChangeEventData
  const { sequence, atMs: createdAtMs } = event
  if (type === 'proposed') {
    return { proposal: event.data as unknown as Proposal, createdAtMs, sequence, promoted: false }
  }
  invariant(state !== undefined, `a change stream begins with proposed, not ${type}`)
  return { ...state, ...changeBy(type, event.data), sequence }
}

function changeBy(type: Exclude<keyof ChangeEventData, 'proposed'>, data: unknown): Partial<ChangeState> {
  switch (type) {
    case 'committing':
      return { committing: data as ChangeEventData['committing'] }
    case 'committed':
      return { commit: (data as ChangeEventData['committed']).commit }
    case 'promoted':
      return { promoted: true }
    case 'reverting':
      return { reverting: data as ChangeEventData['reverting'] }
    case 'reverted':
      return { revertCommit: (data as ChangeEventData['reverted']).commit }
    default:
      throw new Error(`unknown change event ${type satisfies never}`)
  }
}
