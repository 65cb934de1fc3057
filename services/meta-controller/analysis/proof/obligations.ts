import { accessObligations } from './access.ts'
import { gateObligation } from './gate.ts'
import { amplificationObligations, concurrencyObligations } from './load.ts'
import { type Obligation, obligationOf } from './obligation.ts'
import type { MeshPlan } from './plan.ts'
import { quotaObligations } from './quota.ts'
import { rollbackObligation } from './rollback.ts'
import { rolloutObligations } from './rollout.ts'
import { scheduleObligation } from './schedule.ts'
import { Unprovable } from './script.ts'
import { deadlineObligations, inversionObligations } from './times.ts'

const maxObligations = 5000

const tooMuch = obligationOf(
  { property: 'deadline', name: 'size of the plan', statement: 'the plan is small enough to be proven' },
  () => {
    throw new Unprovable(
      `the plan has more than ${maxObligations} edges or entries: prove it in smaller parts`,
    )
  },
)

/**
 * All that has to be proven of a plan, as far as the plan says something; nothing for an empty one, which proves nothing either.
 * A plan whose figures cannot be encoded (NaN, a circle of retries, a name that is no service) gives obligations with a `refusal`.
 * Linear arithmetic throughout (SMT-LIB's QF_LRA and QF_LIRA, de Moura and Bjørner 2008 for the solver).
 * Example: a deadline of 10 ms and a service whose own work takes at most 12 ms: one obligation, "deadline of shop", to be refuted.
 */
export function obligationsOf(plan: MeshPlan): Obligation[] {
  const { rollout, rollback, quota, gates = [], access, schedule } = plan
  if (plan.edges.length > maxObligations || plan.entries.length > maxObligations) return [tooMuch]
  return [
    ...deadlineObligations(plan),
    ...inversionObligations(plan),
    ...amplificationObligations(plan),
    ...concurrencyObligations(plan),
    ...(rollout === undefined ? [] : rolloutObligations(rollout)),
    ...(rollback === undefined ? [] : [rollbackObligation(rollback)]),
    ...(quota === undefined ? [] : quotaObligations(quota)),
    ...gates.map(gateObligation),
    ...(access === undefined ? [] : accessObligations(access)),
    ...(schedule === undefined ? [] : [scheduleObligation(schedule, plan)]),
  ]
}
