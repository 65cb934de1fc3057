import { attemptsOf, type CallGraph, callGraphOf, edgeName, serviceOf } from './call-graph.ts'
import { type Obligation, obligationOf, shown, type Values, valueIn } from './obligation.ts'
import type { CallPlan, EntryPlan, MeshPlan } from './plan.ts'
import { any, numeral, type Script, sum, type Term, times, Unprovable } from './script.ts'

/** Retries multiply along a path: however calls fail, no service gets more than so many times its requests without retries. */
export function amplificationObligations(plan: MeshPlan): Obligation[] {
  const { maxAmplification } = plan
  if (maxAmplification === undefined) return []
  return plan.entries.map((entry) => amplificationObligation(plan, entry, maxAmplification))
}

function amplificationObligation(plan: MeshPlan, entry: EntryPlan, most: number): Obligation {
  const name = `retries below ${entry.service}`
  const statement = `whatever fails, no service gets more than ${most} times the requests that it has without retries`
  return obligationOf({ property: 'retry amplification', name, statement }, (script) => {
    const flow = flowFrom(plan, entry.service)
    const loads = encodeLoads(script, flow, true)
    const bases = encodeLoads(script, flow, false)
    const limit = numeral(most, 'the most that retries may multiply')
    script.assert(
      any(
        worstPlaces(flow).map(
          (service) => `(> ${loads.get(service)} ${times(limit, bases.get(service) ?? '0.0')})`,
        ),
      ),
    )
    return (values) => amplificationInWords(flow, most, values)
  })
}

/**
 * Where retries can have multiplied most: not at a service that is the only caller of another, since every try of such an edge adds
 * to the factor of its callee. It leaves the solver less to look at.
 */
function worstPlaces({ graph, order, callsInto }: Flow): readonly string[] {
  const isLess = (service: string) =>
    (graph.callsOf.get(service) ?? []).some(({ to }) => callsInto.get(to)?.length === 1)
  return order.filter((service) => !isLess(service))
}

/** The services that an entry reaches, callers before callees. */
interface Flow {
  readonly graph: CallGraph
  readonly entry: string
  readonly order: readonly string[]
  readonly callsInto: ReadonlyMap<string, readonly CallPlan[]>
}

/** Throws Unprovable for calls in a circle, where retries have no bound. */
function flowFrom(plan: MeshPlan, entry: string): Flow {
  const graph = callGraphOf(plan)
  serviceOf(graph, entry)
  const order: string[] = []
  const done = new Set<string>()
  const path: string[] = []
  const visit = (service: string): void => {
    if (done.has(service)) return
    if (path.includes(service))
      throw new Unprovable(`the calls go in a circle: ${[...path, service].join(' → ')}`)
    path.push(service)
    for (const call of graph.callsOf.get(service) ?? []) visit(call.to)
    path.pop()
    done.add(service)
    order.unshift(service)
  }
  visit(entry)
  const calls = order.flatMap((service) => graph.callsOf.get(service) ?? [])
  return { graph, entry, order, callsInto: Map.groupBy(calls, (call) => call.to) }
}

/**
 * Requests at each service for one request at the entry. With retries each edge carries any number of tries up to its attempts for
 * each call, or up to its retry budget where that is less; without, exactly its calls.
 */
function encodeLoads(script: Script, flow: Flow, retries: boolean): Map<string, Term> {
  const kind = retries ? 'requests' : 'requests without retries'
  const loads = new Map<string, Term>()
  for (const service of flow.order) {
    const load = script.real(`${kind} at ${service}`)
    loads.set(service, load)
    const incoming = (flow.callsInto.get(service) ?? []).map((call) => {
      const calls = times(
        numeral(call.calls ?? 1, `calls of ${edgeName(call)}`),
        loads.get(call.from) as Term,
      )
      return retries ? triesOn(script, call, calls) : calls
    })
    script.assert(`(= ${load} ${service === flow.entry ? '1.0' : sum(incoming)})`)
  }
  return loads
}

function triesOn(script: Script, call: CallPlan, calls: Term): Term {
  const tries = script.real(`tries ${edgeName(call)}`, times(`${attemptsOf(call)}.0`, calls))
  const { retryBudget } = call
  if (retryBudget !== undefined) {
    const budget = numeral(retryBudget, `retry budget of ${edgeName(call)}`)
    script.assert(`(<= ${tries} (* (+ 1.0 ${budget}) ${calls}))`)
  }
  return tries
}

function amplificationInWords(flow: Flow, most: number, values: Values): string {
  const factorOf = (service: string) =>
    valueIn(values, `requests at ${service}`) / valueIn(values, `requests without retries at ${service}`)
  const worst = flow.order
    .filter((service) => valueIn(values, `requests without retries at ${service}`) > 0)
    .toSorted((a, b) => factorOf(b) - factorOf(a))[0]
  if (worst === undefined) return `no service is called from ${flow.entry}`
  const edges = pathTo(flow, worst).map((call) => `${edgeName(call)} ${call.attempts ?? 1}`)
  return `${worst} can get ${shown(factorOf(worst))} times its requests without retries, at most ${most} are allowed; tries: ${edges.join(', ')}`
}

/** One way from the entry to a service: at each step back, the edge with the most tries. */
function pathTo(flow: Flow, service: string): CallPlan[] {
  const path: CallPlan[] = []
  for (let at = service; at !== flow.entry; ) {
    const call = (flow.callsInto.get(at) ?? []).toSorted((a, b) => (b.attempts ?? 1) - (a.attempts ?? 1))[0]
    if (call === undefined) break
    path.unshift(call)
    at = call.from
  }
  return path
}

/** No service has more requests in flight than it takes, at the peak and with all retries (Little 1961: rate × time). */
export function concurrencyObligations(plan: MeshPlan): Obligation[] {
  return plan.entries.flatMap(({ service, peakPerS }) =>
    peakPerS === undefined
      ? []
      : plan.services
          .filter(({ maxInFlight }) => maxInFlight !== undefined)
          .flatMap(({ name, maxInFlight = 0 }) =>
            concurrencyObligation(plan, { service, peakPerS }, name, maxInFlight),
          ),
  )
}

function concurrencyObligation(
  plan: MeshPlan,
  entry: { readonly service: string; readonly peakPerS: number },
  service: string,
  maxInFlight: number,
): Obligation {
  const name = `concurrency of ${service} from ${entry.service}`
  const statement = `${service} has at most ${maxInFlight} requests in flight at ${entry.peakPerS} requests a second`
  return obligationOf({ property: 'concurrency', name, statement }, (script) => {
    const flow = flowFrom(plan, entry.service)
    encodeLoads(script, flow, true)
    const held = (flow.callsInto.get(service) ?? []).map((call) => encodeHeld(script, call))
    const inFlight = script.real('requests in flight')
    const perMs = `(/ ${numeral(entry.peakPerS, `peak of ${entry.service}`)} 1000.0)`
    script.assert(`(= ${inFlight} ${times(perMs, sum(held))})`)
    script.assert(`(> ${inFlight} ${numeral(maxInFlight, `limit of ${service}`)})`)
    return (values) => {
      const [most, requests] = [
        valueIn(values, 'requests in flight'),
        valueIn(values, `requests at ${service}`),
      ]
      return `${service} may have ${shown(most)} requests in flight and takes ${maxInFlight}: ${shown(requests)} requests for each of ${entry.peakPerS} a second at ${entry.service}, each held until its caller gives up`
    }
  })
}

/** Milliseconds that the tries of an edge hold the callee, for each request at the entry: each until its caller gives up on it, and all until it gives up on the call. */
function encodeHeld(script: Script, call: CallPlan): Term {
  const name = edgeName(call)
  const { perTryTimeoutMs, timeoutMs } = call
  if (perTryTimeoutMs === undefined && timeoutMs === undefined)
    throw new Unprovable(`${name} has no time-out: nothing bounds how long a request is held`)
  const held = script.real(`held by ${name}`)
  if (perTryTimeoutMs !== undefined) {
    const tries = script.symbol(`tries ${name}`) as Term
    script.assert(`(<= ${held} ${times(numeral(perTryTimeoutMs, `time-out of a try ${name}`), tries)})`)
  }
  if (timeoutMs !== undefined) {
    const calls = times(
      numeral(call.calls ?? 1, `calls of ${name}`),
      script.symbol(`requests at ${call.from}`) as Term,
    )
    script.assert(`(<= ${held} ${times(numeral(timeoutMs, `time-out of ${name}`), calls)})`)
  }
  return held
}
