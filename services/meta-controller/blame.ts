import { judgeSlots } from './analysis/detection/slots.ts'
import { explain, type Observed } from './analysis/root-cause/explain.ts'
import type { Metric } from './objective.ts'
import type { Observation } from './observe.ts'
import type { Anomaly } from './orient.ts'

/** A service that causes what is wrong; see RootCause in the contract. */
export interface RootCause {
  readonly service: string
  readonly share: number
  readonly deviation: number
  readonly remark: string
}

/** Who causes it, the culprit if one stands out, and how much nobody explains. */
export interface Blame {
  readonly rootCauses: readonly RootCause[]
  readonly unexplainedShare: number
  readonly culprit?: string
}

/** Probability, over all metrics of all services together, below which a change against before is told. */
const changeLevel = 1e-4

/** Pure: what is unlike the time before the observation. Empty where telemetry does not reach back. */
export function changesOf({ services }: Pick<Observation, 'services'>): Anomaly[] {
  const judged = services.flatMap(({ service, slots, history }) =>
    judgeSlots(history, slots).map((one) => ({ service, ...one })),
  )
  return judged
    .map((one) => ({ ...one, pValue: Math.min(1, one.pValue * judged.length) }))
    .filter(({ pValue }) => pValue < changeLevel)
    .toSorted((a, b) => a.pValue - b.pValue)
    .map(({ service, metric, value, reference, pValue, quantile }) => {
      const what = quantile === undefined ? metric : `p${quantile * 100} latency`
      const remark = `${what} of ${service} changed from ${shown(reference)} to ${shown(value)} (p = ${pValue.toExponential(1)})`
      return { service, metric, value, reference, pValue, remark }
    })
}

function shown(value: number): string {
  return String(Number(value.toPrecision(3)))
}

/**
 * Pure: traces a broken promise along the calls. Where the time before was unlike now it is what now is held against; else the trouble is
 * as old as telemetry, and all of the service's time, or all of its failures, are shared out.
 */
export function blameFor(
  broken: { readonly service: string; readonly metric: Metric },
  observation: Pick<Observation, 'services' | 'edges'>,
  changes: readonly Anomaly[],
): Blame {
  const mass = broken.metric === 'error_rate' ? 'errors' : 'latency'
  const isNew = changes.some(({ service, metric }) => service === broken.service && metric === mass)
  const usual = isNew ? periodOf(observation, 'history') : undefined
  const suspicion = { target: broken.service, mass, isViolated: true } as const
  const { causes, unexplainedShare, culprit } = explain(periodOf(observation, 'slots'), usual, suspicion)
  return { rootCauses: causes, unexplainedShare, ...(culprit !== undefined && { culprit }) }
}

function periodOf(
  { services, edges }: Pick<Observation, 'services' | 'edges'>,
  which: 'slots' | 'history',
): Observed {
  return {
    services: services.map((one) => ({ service: one.service, slots: one[which] })),
    edges: edges.map(({ caller, service, ...traced }) => {
      const slots = traced[which]
      return { caller, service, ...(slots !== undefined && { slots }) }
    }),
  }
}
