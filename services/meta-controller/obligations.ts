import { createHash } from 'node:crypto'
import type { Verdict } from './analysis/proof/obligation.ts'
import { obligationsOf } from './analysis/proof/obligations.ts'
import type { GatePlan, MeshPlan, RollbackPlan, RolloutPlan } from './analysis/proof/plan.ts'
import { limitsBeforeCanary } from './analysis/utility.ts'
import { detectionSeconds, rollbackSeconds } from './assumptions.ts'
import type { Observation } from './observe.ts'
import { allowedBadShareOf, type Situation } from './orient.ts'
import type { StageContext } from './stage.ts'

/** Something that must hold of the roll-out, and whether that was proved; see Obligation in the contract. */
export interface ProvenObligation {
  readonly name: string
  readonly statement: string
  readonly status: Verdict['status']
  readonly counterexample: string
  readonly reason: string
  /** The text that the prover was given: `z3` on it gives the same answer. */
  readonly smt: string
  readonly smtSha256: string
}

/** Share of the error budget that a canary may cost which fails from its start, and one that begins to fail later. */
const maxBudgetShare = limitsBeforeCanary.worstBurn
const maxLateBudgetShare = 1
const withinSeconds = 60

/** Proves what must hold of the roll-out that the target is to have. What cannot be proved is told as that, never left out. */
export async function proveRollout(
  observation: Observation,
  situation: Situation,
  { prover, signal }: Pick<StageContext, 'prover' | 'signal'>,
): Promise<ProvenObligation[]> {
  const verdicts = await prover.prove(obligationsFor(observation, situation), signal)
  signal.throwIfAborted()
  return verdicts.map(({ name, statement, status, counterexample, reason, smt }) => ({
    name,
    statement,
    status,
    counterexample: counterexample?.words ?? '',
    reason: reason ?? '',
    smt,
    smtSha256: createHash('sha256').update(smt).digest('hex'),
  }))
}

/** Pure. How steep the steps are is the target's own choice; what they may cost is proved. */
export function obligationsFor(observation: Observation, situation: Situation) {
  return obligationsOf(planOf(observation, situation)).filter(({ property }) => property !== 'rollout plan')
}

function planOf(observation: Observation, situation: Situation): MeshPlan {
  const rollout = rolloutOf(observation, situation)
  return {
    services: [],
    edges: [],
    entries: [],
    rollout,
    rollback: wayBack(rollout),
    gates: [gate],
  }
}

/** A failing canary fails requests, so what it draws on is the budget for availability; where there is none, that of the objective. */
export function budgetDrawnOn(
  { budgets }: Pick<Observation, 'budgets'>,
  { service, sloWindowSeconds, allowedBadShare }: Situation,
): Pick<RolloutPlan, 'sloWindowSeconds' | 'allowedBadShare'> {
  const availability = budgets.find(
    (budget) => budget.service === service && budget.indicator === 'availability',
  )
  if (availability === undefined) return { sloWindowSeconds, allowedBadShare }
  return {
    sloWindowSeconds: availability.windowSeconds,
    allowedBadShare: allowedBadShareOf(availability),
  }
}

function rolloutOf(observation: Observation, situation: Situation): RolloutPlan {
  return {
    steps: observation.steps.map(({ weightPercent, minSeconds }) => ({ weightPercent, minSeconds })),
    detectionSeconds,
    rollbackSeconds,
    ...budgetDrawnOn(observation, situation),
    maxBudgetShare,
    maxLateBudgetShare,
  }
}

/** The deployer can take all traffic back to stable at any step, and while it watches the promoted version. */
function wayBack({ steps }: RolloutPlan): RollbackPlan {
  const canaries = [...steps.map(({ weightPercent }) => `canary at ${weightPercent} %`), 'watched at 100 %']
  const states = [...new Set(canaries)]
  const transitions = states.map((from) => ({ from, to: 'stable', seconds: rollbackSeconds }))
  return { stable: 'stable', states: ['stable', ...states], transitions, withinSeconds }
}

const dimensions = ['worst burn', 'harm', 'rollback', 'confounding'] as const

/** The vetoes that `authorize` applies, as the condition that they are. */
const gate: GatePlan = {
  name: 'the risk gate',
  dimensions,
  accepts: {
    all: [
      { dimension: 'worst burn', atMost: limitsBeforeCanary.worstBurn },
      { dimension: 'harm', atMost: limitsBeforeCanary.harmProbability },
      { dimension: 'rollback', atMost: limitsBeforeCanary.rollbackS },
      { dimension: 'confounding', atMost: limitsBeforeCanary.confounding },
    ],
  },
}

/** Why a decision may not proceed; undefined when everything is proved. */
export function whyUnproven(obligations: readonly ProvenObligation[]): string | undefined {
  const open = obligations.filter(({ status }) => status !== 'proven')
  if (open.length === 0) return obligations.length === 0 ? 'nothing was there to be proved' : undefined
  return open
    .map(({ name, status, counterexample, reason }) => `${name} is ${status}: ${counterexample || reason}`)
    .join('; ')
}
