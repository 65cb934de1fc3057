import { Author, Autonomy, type ChangeEvidence } from '../gen/nexus/governor/v1/warrant_pb.ts'
import type { WarrantAction } from '../platform/warrant/statement.ts'
import type { DecidingPolicy, Policy, PolicyAnswer, PolicyRequest } from './policy.ts'
import { protectedAmong } from './protected-paths.ts'

/** How much NEXUS may do by itself; the words of the policy. */
export const autonomyWords = ['observe', 'propose', 'approve', 'auto'] as const
export type AutonomyWord = (typeof autonomyWords)[number]

/** What the policy says to a change: with `needs_approval` a person's yes is the only thing that is missing. */
export interface Judgement {
  readonly outcome: 'permitted' | 'needs_approval' | 'refused'
  /** Why, in words. */
  readonly reasons: readonly string[]
  /** What a warrant may permit; empty when refused. */
  readonly permits: readonly WarrantAction[]
}

/** Cedar counts in whole numbers of 64 bits; more than this is as good as infinite. */
const maxLong = 1_000_000_000_000

/** The word for the wire's number; an unspecified one is the service's default. */
export function autonomyWord(autonomy: Autonomy, fallback: AutonomyWord): AutonomyWord {
  const words: Partial<Record<Autonomy, AutonomyWord>> = {
    [Autonomy.OBSERVE]: 'observe',
    [Autonomy.PROPOSE]: 'propose',
    [Autonomy.APPROVE]: 'approve',
    [Autonomy.AUTO]: 'auto',
  }
  return words[autonomy] ?? fallback
}

/**
 * Judges a change by policy. Every action that the autonomy level asks for has to be allowed: as things stand, or with a
 * person's approval, or not at all. Pure.
 */
export function judge(
  policy: Policy,
  change: { evidence: ChangeEvidence; autonomy: AutonomyWord; approved: boolean },
): Judgement {
  const actions: readonly WarrantAction[] = change.autonomy === 'propose' ? ['commit'] : ['commit', 'deploy']
  const answersIf = (approved: boolean) =>
    actions.map((action) => policy.decide(requestOf({ ...change, approved }, action)))
  const now = answersIf(change.approved)
  if (now.every(({ allowed }) => allowed))
    return { outcome: 'permitted', reasons: permitReasons(now), permits: actions }
  const withApproval = change.approved ? now : answersIf(true)
  if (withApproval.every(({ allowed }) => allowed)) {
    return { outcome: 'needs_approval', reasons: approvalReasons(change), permits: actions }
  }
  return { outcome: 'refused', reasons: refusalReasons(withApproval, change.evidence), permits: [] }
}

/** The request as `policy/schema.cedarschema` wants it. Shares are rounded up, so that rounding never makes a risk smaller. */
export function requestOf(
  change: { evidence: ChangeEvidence; autonomy: AutonomyWord; approved: boolean },
  action: WarrantAction,
): PolicyRequest {
  const { evidence, autonomy, approved } = change
  const { risk } = evidence
  return {
    action,
    target: evidence.target,
    context: {
      autonomy,
      approved,
      author: evidence.author === Author.RECIPE ? 'recipe' : 'model',
      intervention: evidence.intervention,
      checks_passed: evidence.checksPassed,
      blocking_findings: evidence.blockingFindings,
      sandbox_tier: evidence.sandboxTier.toLowerCase(),
      paths: [...evidence.paths],
      protected_paths: protectedAmong(evidence.paths),
      risk: {
        score: risk?.score ?? 100,
        blast_radius_permille: permille(risk?.blastRadius),
        harm_permille: permille(risk?.harmProbability),
        worst_burn_permille: permille(risk?.worstBurn),
        rollback_s: whole(risk?.rollbackS),
        novelty_permille: permille(risk?.novelty),
        files: Math.max(risk?.files ?? 0, evidence.paths.length),
        lines: whole(risk?.lines),
      },
    },
  }
}

function permille(share = Number.POSITIVE_INFINITY): number {
  return whole(share * 1000)
}

/** What is missing or not a number is the worst. */
function whole(value = Number.POSITIVE_INFINITY): number {
  return Number.isNaN(value) ? maxLong : Math.min(Math.ceil(value), maxLong)
}

function permitReasons(answers: readonly PolicyAnswer[]): string[] {
  return distinct(answers.flatMap(({ deciding }) => deciding)).map(
    ({ id, reason }) => `permitted by ${id}: ${reason}`,
  )
}

function approvalReasons({
  evidence,
  autonomy,
}: {
  evidence: ChangeEvidence
  autonomy: AutonomyWord
}): string[] {
  const author = evidence.author === Author.RECIPE ? 'a recipe' : 'a language model'
  return [
    `nothing forbids it, but it needs a person's approval: the autonomy level is ${autonomy}, ${author} wrote it (${evidence.authorDetail || 'unnamed'}), its risk score is ${evidence.risk?.score ?? 100} of 100, it changes ${evidence.risk?.lines ?? 0} lines in ${evidence.paths.length} files`,
  ]
}

function refusalReasons(answers: readonly PolicyAnswer[], evidence: ChangeEvidence): string[] {
  const forbids = distinct(answers.filter(({ allowed }) => !allowed).flatMap(({ deciding }) => deciding))
  const reasons = forbids.map(({ id, reason }) => `forbidden by ${id}: ${reason}${seenBy(id, evidence)}`)
  const errors = new Set(answers.flatMap((answer) => answer.errors))
  for (const error of errors) reasons.push(`the policy could not be applied, which counts as no: ${error}`)
  return reasons.length > 0 ? reasons : ['no policy permits it, not even with a person’s approval']
}

/** What the policies of policy/default.cedar saw; a policy of the user's own speaks by its @reason alone. */
function seenBy(id: string, evidence: ChangeEvidence): string {
  const seen: Record<string, string> = {
    'no-blocking-findings': `${evidence.blockingFindings} findings`,
    'protected-paths': protectedAmong(evidence.paths).join(', '),
    'risk-limit': `score ${evidence.risk?.score ?? 100}`,
    'model-needs-isolation': `they ran in ${evidence.sandboxTier || 'an unnamed tier'}`,
  }
  const words = Object.hasOwn(seen, id) ? seen[id] : undefined
  return words ? ` (${words})` : ''
}

function distinct(policies: readonly DecidingPolicy[]): DecidingPolicy[] {
  return [...new Map(policies.map((policy) => [policy.id, policy])).values()]
}
