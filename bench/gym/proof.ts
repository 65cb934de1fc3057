import { obligationsOf } from '../../services/meta-controller/analysis/proof/obligations.ts'
import type { CallPlan, MeshPlan, RolloutPlan } from '../../services/meta-controller/analysis/proof/plan.ts'
import type { ProofOutcome } from '../../services/meta-controller/analysis/utility.ts'
import type { Prover } from '../../services/meta-controller/proof/prover.ts'
import type { CallPolicy, MeshSpec } from './mesh.ts'
import { burnLimits, rolloutPlan } from './rollout.ts'
import { trialWeightPercent } from './trial.ts'
import type { Intervention, World } from './world.ts'

/** No service may get more than so many times its requests, however calls fail: what the owners of all worlds ask for. */
export const maxAmplification = 4

/** The trial is a rollout of one step, ended by the same judge. */
const trialPlan: RolloutPlan = {
  ...rolloutPlan,
  ...burnLimits,
  steps: [{ weightPercent: trialWeightPercent, minSeconds: 15, maxSeconds: 240 }],
  maxFirstWeightPercent: trialWeightPercent,
}

/** Proves what has to hold of a change and its rollout before anything runs. The same questions come again and again: answers are kept. */
export function proverOf(prover: Prover) {
  const known = new Map<string, ProofOutcome>()
  return async (world: World, intervention: Intervention): Promise<readonly ProofOutcome[]> => {
    const asItIs = new Set(obligationsOf(planOf(world.spec)).map(({ smt }) => smt))
    const obligations = [
      ...obligationsOf(planOf(world.spec, intervention)).filter(
        // Time-outs that the change does not touch are as they were before it, right or wrong.
        ({ property, smt }) => property !== 'timeout inversion' || !asItIs.has(smt),
      ),
      ...obligationsOf({ services: [], edges: [], entries: [], rollout: trialPlan }),
    ]
    const fresh = obligations.filter(({ smt }) => !known.has(smt))
    const verdicts = await prover.prove(fresh, AbortSignal.timeout(proofTimeoutMs))
    for (const { smt, name, status, reason, counterexample } of verdicts) {
      const remark = counterexample?.words ?? reason
      known.set(smt, { name, status, ...(remark !== undefined && { remark }) })
    }
    return obligations.map(({ smt }) => known.get(smt)!)
  }
}

const proofTimeoutMs = 60_000

function planOf(spec: MeshSpec, intervention?: Intervention): MeshPlan {
  const edges = spec.services.flatMap(({ name, calls }) =>
    (calls ?? []).flat().map((call): CallPlan => {
      const isChanged = name === intervention?.edge.caller && call.to === intervention.edge.callee
      const policy = isChanged ? { ...call, ...intervention.policy } : call
      return { from: name, to: call.to, ...policyOf(policy) }
    }),
  )
  return {
    services: spec.services.map(({ name, work }) => ({ name, workMs: pledgedFactor * work.medianMs })),
    edges,
    entries: spec.entries.map(({ service }) => ({ service })),
    maxAmplification,
    rollout: rolloutPlan,
  }
}

/** What its owners say that a service's own work takes at most, in medians of it. */
const pledgedFactor = 2.5

function policyOf({ attempts, backoffMs, retryBudget, perTryTimeoutMs, timeoutMs }: CallPolicy) {
  return {
    ...(attempts !== undefined && { attempts }),
    ...(backoffMs !== undefined && { backoffMs }),
    ...(retryBudget !== undefined && { retryBudget }),
    ...(perTryTimeoutMs !== undefined && { perTryTimeoutMs }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  } satisfies Partial<CallPlan>
}
