import { type Attribution, attribute } from './attribution.ts'
import { loadOf, type Mass, type Period, type SignalSlot } from './load.ts'
import { learnNormal } from './normal.ts'

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
 * `leastSlots` slots; more make the gate better), else by who has most of the target's time or failures.
 */
export function explain(now: Observed, usual: Observed | undefined, suspicion: Suspicion): Attribution {
  const window = periodOf(now)
  const windowSlots = Math.max(1, ...now.services.map(({ slots }) => slots.length))
  const question = { ...suspicion, isPerRequest: true }
  const normal = usual && learnNormal(periodOf(usual), { ...question, windowSlots })
  return attribute(window, question, normal)
}

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
