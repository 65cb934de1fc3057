import type { CallPlan, MeshPlan, ServicePlan } from './plan.ts'
import { numeral, type Script, sum, type Term, times, Unprovable } from './script.ts'

const maxServices = 1000
const maxEdges = 5000
const maxAttempts = 12

/** The calls of a plan by service, checked for names. */
export interface CallGraph {
  readonly services: ReadonlyMap<string, ServicePlan>
  readonly callsOf: ReadonlyMap<string, readonly CallPlan[]>
}

/** Throws Unprovable for what is too large, named twice, or called without being a service. */
export function callGraphOf(plan: Pick<MeshPlan, 'services' | 'edges'>): CallGraph {
  if (plan.services.length > maxServices || plan.edges.length > maxEdges)
    throw new Unprovable(`more than ${maxServices} services or ${maxEdges} edges: prove it in smaller parts`)
  const services = new Map(plan.services.map((service) => [service.name, service]))
  if (services.size < plan.services.length) throw new Unprovable('two services have one name: rename one')
  const callsOf = new Map<string, CallPlan[]>(plan.services.map(({ name }) => [name, []]))
  for (const edge of plan.edges) {
    for (const name of [edge.from, edge.to]) {
      if (!services.has(name)) throw new Unprovable(`${edgeName(edge)}: ${name} is not among the services`)
    }
    const calls = callsOf.get(edge.from) ?? []
    if (calls.some((call) => call.to === edge.to))
      throw new Unprovable(`two edges are ${edgeName(edge)}: join them`)
    calls.push(edge)
  }
  return { services, callsOf }
}

export function serviceOf(graph: CallGraph, name: string): ServicePlan {
  const service = graph.services.get(name)
  if (service === undefined) throw new Unprovable(`${name} is not among the services`)
  return service
}

export function edgeName(edge: Pick<CallPlan, 'from' | 'to'>): string {
  return `${edge.from} → ${edge.to}`
}

/** Tries in all. Throws Unprovable unless it is a whole number from 1 to 12. */
export function attemptsOf(edge: CallPlan): number {
  const attempts = edge.attempts ?? 1
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > maxAttempts) {
    throw new Unprovable(
      `attempts of ${edgeName(edge)} is ${attempts}: give a whole number from 1 to ${maxAttempts}`,
    )
  }
  return attempts
}

/** Waits before the first `tries` tries, as a numeral: backoff × (2^(tries − 1) − 1). */
export function waitsOf(edge: CallPlan, tries: number): Term {
  const backoff = numeral(edge.backoffMs ?? 0, `backoff of ${edgeName(edge)}`)
  return times(`${2 ** (tries - 1) - 1}.0`, backoff)
}

/** The calls of a service by stage; those without a number are each by themselves. */
export function stagesOf(calls: readonly CallPlan[]): CallPlan[][] {
  const stages = Map.groupBy(calls, (call) => (call.stage === undefined ? edgeName(call) : call.stage))
  return [...stages.values()]
}

/**
 * What a service takes to answer, as unknowns of the script, for every work within its bound and every pattern of failures: each is
 * only bounded from above, so the solver may choose any shorter time. All tries of a call, and all calls of a service, share one
 * unknown: the longest time grows with each of them, so what holds with all at their longest holds for every mixture.
 */
export class AnswerTimes {
  readonly #script: Script
  readonly #graph: CallGraph
  readonly #byContract: boolean

  /** `byContract`: a call with a time-out is taken to use it up, whatever is below it; without it the callees are followed down. */
  constructor(script: Script, graph: CallGraph, options: { readonly byContract: boolean }) {
    this.#script = script
    this.#graph = graph
    this.#byContract = options.byContract
  }

  of(name: string): Term {
    const known = this.#script.symbol(`answer of ${name}`)
    if (known !== undefined) return known
    const service = serviceOf(this.#graph, name)
    const answer = this.#script.real(`answer of ${name}`)
    const { workMs } = service
    const most = workMs === undefined ? undefined : numeral(workMs, `work of ${name}`)
    const work = this.#script.real(`work of ${name}`, most)
    const stages = stagesOf(this.#graph.callsOf.get(name) ?? [])
    const waits = stages.map((stage, index) => this.#stage(name, stage, index))
    this.#script.assert(`(<= ${answer} ${sum([work, ...waits])})`)
    return answer
  }

  #stage(name: string, calls: readonly CallPlan[], index: number): Term {
    const durations = calls.map((call) => {
      const times_ = call.calls ?? 1
      const duration = this.#call(call)
      return times_ === 1 ? duration : times(numeral(times_, `calls of ${edgeName(call)}`), duration)
    })
    if (durations.length === 1) return durations[0] as Term
    const longest = this.#script.real(`stage ${index} of ${name}`)
    this.#script.assert(`(or ${durations.map((duration) => `(<= ${longest} ${duration})`).join(' ')})`)
    return longest
  }

  #call(edge: CallPlan): Term {
    const name = edgeName(edge)
    const once = this.#try(edge)
    const { timeoutMs } = edge
    const attempts = attemptsOf(edge)
    if (attempts === 1) return once
    const call = this.#script.real(`call ${name}`)
    this.#script.assert(`(<= ${call} (+ ${times(`${attempts}.0`, once)} ${waitsOf(edge, attempts)}))`)
    if (timeoutMs !== undefined)
      this.#script.assert(`(<= ${call} ${numeral(timeoutMs, `time-out of ${name}`)})`)
    return call
  }

  #try(edge: CallPlan): Term {
    const name = edgeName(edge)
    const { perTryTimeoutMs, timeoutMs } = edge
    const limit = Math.min(perTryTimeoutMs ?? Infinity, timeoutMs ?? Infinity)
    const once = this.#script.real(
      `try ${name}`,
      limit === Infinity ? undefined : numeral(limit, `time-out of a try ${name}`),
    )
    if (this.#byContract && limit !== Infinity) return once
    const network = numeral(edge.networkMs ?? 0, `network of ${name}`)
    this.#script.assert(`(<= ${once} (+ ${network} ${this.of(edge.to)}))`)
    return once
  }
}
