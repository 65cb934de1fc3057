import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect'
import {
  AuthorizeResponseSchema,
  type GovernorService,
} from '../gen/nexus/governor/v1/governor_service_pb.ts'
import {
  type ErrorBudget,
  ErrorBudgetSchema,
  Indicator,
  type Slo,
  SloSchema,
} from '../gen/nexus/governor/v1/slo_pb.ts'
import {
  type Approval as ApprovalMessage,
  ApprovalSchema,
  ApprovalState,
  AuthorizationOutcome,
} from '../gen/nexus/governor/v1/warrant_pb.ts'
import { invariant } from '../platform/invariant.ts'
import { JournalUnavailableError } from '../platform/journal/journal.ts'
import type { Approval, ApprovalWord } from './approval.ts'
import type { Approvals } from './approvals.ts'
import type { Authority, Authorized } from './authorize.ts'
import { type AutonomyWord, autonomyWord } from './judge.ts'
import type { Objective } from './openslo.ts'
import type { Policy } from './policy.ts'
import type { Budget, Slos } from './slos.ts'

export interface GovernorParts {
  readonly slos: Slos
  readonly authority: Authority
  readonly approvals: Approvals
  readonly policy: Policy
  readonly publicPem: string
  readonly keyId: string
  readonly defaultAutonomy: AutonomyWord
}

/** Set by the gateway to the consumer that it has authenticated; a client cannot send it through the gateway. */
export const consumerHeader = 'x-consumer-username'

const defaultPageSize = 50

export function createGovernor(parts: GovernorParts): ServiceImpl<typeof GovernorService> {
  return {
    applySlos: async ({ target, documents }) => {
      const objectives = await journalled(parts.slos.apply(target, documents))
      return { slos: objectives.map((objective) => sloMessage(target, objective)) }
    },
    getErrorBudgets: async ({ target }) => {
      const budgets = await journalled(parts.slos.budgets(target))
      return { budgets: budgets.map((budget) => budgetMessage(target, budget)) }
    },
    authorize: async ({ evidence, autonomy }) => {
      invariant(evidence, 'the contract requires evidence')
      const word = autonomyWord(autonomy, parts.defaultAutonomy)
      return authorizeResponse(await journalled(parts.authority.authorize(evidence, word)))
    },
    listApprovals: async ({ state, pageSize }) => {
      const filter = { state: stateWords[state], limit: pageSize || defaultPageSize }
      return { approvals: (await journalled(parts.approvals.list(filter))).map(approvalMessage) }
    },
    decideApproval: async ({ approvalId, digest, approve, approver, comment }, context) => {
      const decision = { approvalId, digest, approve, approver: approverOf(approver, context), comment }
      return { approval: approvalMessage(await journalled(parts.approvals.decide(decision))) }
    },
    getAuthority: () => {
      const { policy, publicPem, keyId } = parts
      return { publicKey: publicPem, keyId, policyDigest: policy.digest, policy: policy.text }
    },
  }
}

/** A journal that is away for a while is no bug: the caller may try again. Nothing was decided that is not written down. */
async function journalled<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof JournalUnavailableError)) throw error
    throw new ConnectError('the journal cannot be reached now', Code.Unavailable, undefined, undefined, error)
  }
}

/** Behind the gateway it is the consumer that counts; without one, as in a shell on the same machine, it is who they say they are. */
function approverOf(claimed: string, context: HandlerContext): string {
  const consumer = context.requestHeader.get(consumerHeader) ?? ''
  if (consumer !== '' && claimed !== '' && claimed !== consumer) {
    throw new ConnectError(
      `approver: it is ${claimed}, but the gateway has authenticated ${consumer}: leave it empty`,
      Code.PermissionDenied,
    )
  }
  return consumer || claimed
}

const outcomes = {
  permitted: AuthorizationOutcome.PERMITTED,
  refused: AuthorizationOutcome.REFUSED,
  awaiting: AuthorizationOutcome.AWAITING_APPROVAL,
} as const

function authorizeResponse({ outcome, reasons, policyDigest, warrant, approval }: Authorized) {
  return create(AuthorizeResponseSchema, {
    outcome: outcomes[outcome],
    reasons: [...reasons],
    policyDigest,
    warrant: warrant && { envelope: warrant.envelope, expiresAt: timestampFromMs(warrant.expiresAtMs) },
    approval: approval && approvalMessage(approval),
  })
}

const states: Readonly<Record<ApprovalWord, ApprovalState>> = {
  pending: ApprovalState.PENDING,
  approved: ApprovalState.APPROVED,
  denied: ApprovalState.DENIED,
  expired: ApprovalState.EXPIRED,
}

const stateWords: Readonly<Record<ApprovalState, ApprovalWord | undefined>> = {
  [ApprovalState.UNSPECIFIED]: undefined,
  [ApprovalState.PENDING]: 'pending',
  [ApprovalState.APPROVED]: 'approved',
  [ApprovalState.DENIED]: 'denied',
  [ApprovalState.EXPIRED]: 'expired',
}

function approvalMessage(approval: Approval): ApprovalMessage {
  const { id, evidence, reasons, decidedBy, comment, createdAtMs, expiresAtMs } = approval
  return create(ApprovalSchema, {
    id,
    evidence,
    reasons: [...reasons],
    state: states[approval.state],
    decidedBy,
    comment,
    createdAt: timestampFromMs(createdAtMs),
    expiresAt: timestampFromMs(expiresAtMs),
  })
}

function sloMessage(target: string, { name, indicator, target: objective, windowS }: Objective): Slo {
  const isLatency = indicator.kind === 'latency'
  return create(SloSchema, {
    name,
    target,
    service: indicator.service,
    indicator: isLatency ? Indicator.LATENCY : Indicator.AVAILABILITY,
    objective,
    thresholdMs: isLatency ? indicator.thresholdMs : 0,
    windowS,
  })
}

function budgetMessage(target: string, budget: Budget): ErrorBudget {
  const { objective, requests, badRequests, attained, remaining, burning, atMs, coveredS } = budget
  return create(ErrorBudgetSchema, {
    slo: sloMessage(target, objective),
    requests,
    badRequests,
    attained,
    remaining,
    burnRates: budget.burnRates.map(({ longS, shortS, ...rates }) => ({
      ...rates,
      longWindowS: Math.ceil(longS),
      shortWindowS: Math.ceil(shortS),
    })),
    burning,
    at: timestampFromMs(atMs),
    coveredS,
  })
}
