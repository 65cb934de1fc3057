import { type Obligation, obligationOf, shown, valueIn } from './obligation.ts'
import type { QuotaPlan, WorkloadPlan } from './plan.ts'
import { numeral, type Script, sum, type Term, times, Unprovable, wholeNumeral } from './script.ts'

const maxWorkloads = 500

/** All workloads together, each at any number of replicas that its autoscaler may choose and in the middle of a rollout, stay within the quota. */
export function quotaObligations(plan: QuotaPlan): Obligation[] {
  return Object.entries(plan.limits).map(([resource, limit]) => quotaObligation(plan, resource, limit))
}

function quotaObligation(plan: QuotaPlan, resource: string, limit: number): Obligation {
  const name = `quota of ${resource}`
  const statement = `all replicas with their surge request at most ${limit} of ${resource}`
  return obligationOf({ property: 'quota', name, statement }, (script) => {
    if (plan.workloads.length > maxWorkloads)
      throw new Unprovable(`more than ${maxWorkloads} workloads: split the quota`)
    const parts = plan.workloads.map((workload) => {
      const { name: service, minReplicas, maxReplicas } = workload
      const least = wholeNumeral(minReplicas, `least replicas of ${service}`)
      const replicas = script.whole(
        `replicas of ${service}`,
        least,
        wholeNumeral(maxReplicas, `most replicas of ${service}`),
      )
      const pods = `(to_real (+ ${replicas} ${surgeOf(script, workload, replicas)}))`
      return times(numeral(requestOf(workload, resource), `${resource} of ${service}`), pods)
    })
    const total = script.real('requested')
    script.assert(`(= ${total} ${sum(parts)})`)
    script.assert(`(> ${total} ${numeral(limit, name)})`)
    return (values) => {
      const pods = plan.workloads.map(({ name: service }) => {
        const surge = valueIn(values, `surge of ${service}`)
        return `${service} ${valueIn(values, `replicas of ${service}`)}+${surge}`
      })
      return `${shown(valueIn(values, 'requested'))} of ${resource} are requested, ${limit} are there, with replicas and surge of ${pods.join(', ')}`
    }
  })
}

/** A percentage of the replicas is rounded up, as Kubernetes does. */
function surgeOf(script: Script, workload: WorkloadPlan, replicas: Term): Term {
  const { name, surge = 0, surgePercent, maxReplicas } = workload
  const what = `surge of ${name}`
  if (surgePercent === undefined) return script.whole(what, '0', wholeNumeral(surge, what))
  const percent = wholeNumeral(surgePercent, `${what} in percent`)
  const most = wholeNumeral(Math.ceil((maxReplicas * surgePercent) / 100), what)
  const term = script.whole(what, '0', most)
  script.assert(`(< (* 100 ${term}) (+ 100 (* ${percent} ${replicas})))`)
  return term
}

/** Throws Unprovable for a workload that does not say what it requests: a quota refuses its pods. */
function requestOf(workload: WorkloadPlan, resource: string): number {
  const request = workload.requests[resource]
  if (request === undefined)
    throw new Unprovable(`${workload.name} does not say how much ${resource} it requests`)
  return request
}
