import { obligationsOf } from '../../services/meta-controller/analysis/proof/obligations.ts'
import type { CallPlan, MeshPlan } from '../../services/meta-controller/analysis/proof/plan.ts'
import type { Prover } from '../../services/meta-controller/proof/prover.ts'
import { medianOf } from '../../services/platform/statistics/order.ts'
import { neededMs, worstAnswerMs, worstLoads } from './evaluator.ts'

const rounds = 9

/**
 * A tree in which each service calls so many others (1 makes it a chain), with a retry at some calls. Its time-outs are set from the
 * leaves up without any slack, so all of it can just be proven.
 */
export function tree(edgeCount: number, fanOut: number): MeshPlan {
  const names = Array.from({ length: edgeCount + 1 }, (_, index) => `s${index}`)
  const services = names.map((name, index) => ({ name, workMs: 3 + (index % 5) }))
  const edges: (CallPlan & { perTryTimeoutMs: number })[] = names.slice(1).map((to, index) => {
    const retries = index % 7 === 3 ? { attempts: 2, backoffMs: 5 } : {}
    return { from: `s${Math.floor(index / fanOut)}`, to, ...retries, perTryTimeoutMs: 0, networkMs: 1 }
  })
  for (const edge of edges.toReversed())
    edge.perTryTimeoutMs = neededMs({ services, edges, entries: [] }, edge)
  return { services, edges, entries: [] }
}

/** The same with the deadline and the retries that it just keeps. */
export function asked(plan: MeshPlan): MeshPlan {
  const entries = [{ service: 's0', deadlineMs: worstAnswerMs(plan, 's0') }]
  const loads = [...worstLoads({ ...plan, entries }, true).values()]
  return { ...plan, entries, maxAmplification: Math.max(...loads) }
}

export interface Timing {
  readonly obligations: number
  /** Of several rounds: what else runs on the machine makes a round slower, never faster. */
  readonly bestMs: number
  readonly medianMs: number
}

/** How long it takes to prove a plan's obligations, from the plan to the verdicts, the solver being warm. Errors: of what is not proven. */
export async function timed(prover: Prover, plan: MeshPlan): Promise<Timing> {
  const times: number[] = []
  let obligations = 0
  for (let round = 0; round <= rounds; round++) {
    const start = performance.now()
    const verdicts = await prover.prove(obligationsOf(plan), new AbortController().signal)
    if (round > 0) times.push(performance.now() - start)
    const open = verdicts.find(({ status }) => status !== 'proven')
    if (open !== undefined) throw new Error(`${open.name}: ${open.counterexample?.words ?? open.reason}`)
    obligations = verdicts.length
  }
  return { obligations, bestMs: Math.min(...times), medianMs: medianOf(times) }
}
