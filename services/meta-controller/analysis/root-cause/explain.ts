import { type Attribution, attribute, type Cause } from './attribution.ts'
import { loadOf, type Mass, massOf, type Period, type SignalSlot } from './load.ts'
import { learnNormal } from './normal.ts'
import { rankResources } from './resource.ts'

/** The mesh as it was observed over a time, in slots of the same length that end together. */
export interface Observed {
  readonly services: readonly { readonly service: string; readonly slots: readonly SignalSlot[] }[]
  readonly edges: readonly {
    readonly caller: string
    readonly service: string
    /** The golden signals of the edge, where they are known. */
    readonly slots?: readonly SignalSlot[]
  }[]
}

/** What is asked of two observations. */
export interface Suspicion {
  readonly target: string
  readonly mass: Mass
  /** Whether the target breaks its promise: what the answer rests on where no normal period is known. */
  readonly isViolated: boolean
}

/**
 * Who causes what is wrong with the target now: against an observation of a normal time if there is one (at least
 * `leastSlots` slots; more make the gate better), else by who has most of the target's time or failures. Where no call graph
 * is known, nobody can say whom the target waits for: then those that strayed furthest are told, and none but the target named.
 */
export function explain(now: Observed, usual: Observed | undefined, suspicion: Suspicion): Attribution {
  const window = periodOf(now)
  const windowSlots = Math.max(1, ...now.services.map(({ slots }) => slots.length))
  const question = { ...suspicion, isPerRequest: true }
  const normal = usual && learnNormal(periodOf(usual), { ...question, windowSlots })
  const found = attribute(window, question, normal)
  if (now.edges.length > 0 || now.services.length < 2 || usual === undefined) return found
  return withoutGraph(found, strayed(now, usual))
}

const maxStrayed = 10

/** The target's own excess may be that of a service that it calls: it is the culprit only if nothing strayed further. */
function withoutGraph(found: Attribution, suspects: readonly Cause[]): Attribution {
  const others = suspects.filter(({ service }) => service !== found.target).slice(0, maxStrayed)
  const isFurthest = suspects[0] === undefined || suspects[0].service === found.target
  const { culprit, remark, ...rest } = found
  return {
    ...rest,
    causes: [...found.causes, ...others],
    ...(isFurthest && culprit !== undefined && { culprit }),
    remark: isFurthest
      ? remark
      : `${suspects[0]!.remark}; no call graph tells whether ${found.target} calls it`,
  }
}

/** By the robust scorer, on each service's latency and share of failures. */
function strayed(now: Observed, usual: Observed): Cause[] {
  const before = new Map(usual.services.map(({ service, slots }) => [service, slots]))
  const onset = Math.max(0, ...usual.services.map(({ slots }) => slots.length))
  const series = now.services.flatMap(({ service, slots }) => {
    const earlier = (before.get(service) ?? []).map(loadOf)
    const missing = new Array<undefined>(onset - earlier.length).fill(undefined)
    const loads = [...missing, ...earlier, ...slots.map(loadOf)]
    const valuesOf = (mass: Mass) =>
      loads.map((load) => (load ? (unitOf[mass] * massOf(load, mass)) / load.requests : Number.NaN))
    return (['latency', 'errors'] as const).map((mass) => ({ service, metric: mass, values: valuesOf(mass) }))
  })
  return rankResources(series, onset).map(({ service, metric, score }) => ({
    service,
    share: 0,
    deviation: score,
    remark: `${metric} of ${service} strayed by ${score.toFixed(1)} of its normal ranges`,
  }))
}

/** Milliseconds and percent, so that a range of 1 is small. */
const unitOf: Readonly<Record<Mass, number>> = { latency: 1000, errors: 100 }

/** Example: an observation of two services and the edge between them is a period of two services and one call. */
export function periodOf({ services, edges }: Observed): Period {
  return {
    services: services.map(({ service, slots }) => ({ service, slots: slots.map(loadOf) })),
    calls: edges.map(({ caller, service, slots }) => ({
      caller,
      service,
      ...(slots !== undefined && { slots: slots.map(loadOf) }),
    })),
  }
}
