import type { JsonValue } from '../platform/canonical-json.ts'
import type { Manifest } from '../platform/target/manifest.ts'

/** What a canary may fail where the target states no availability SLO. */
const defaultAllowedShare = 0.01

/**
 * Share of errors that a canary may have whatever stable has: what the manifest's `error_tolerance` says, else what its strictest
 * availability SLO allows, else one percent. The governor is who reads OpenSLO documents strictly; here a document that is not
 * understood is passed over, which can only make the judge ask for more evidence or for the default.
 */
export function allowedErrorShare({ rollout, slos }: Manifest): number {
  if (rollout.errorTolerance !== undefined && rollout.errorTolerance > 0) return rollout.errorTolerance
  const allowed = slos.map(allowedBy).filter((share) => share !== undefined)
  return allowed.length > 0 ? Math.min(...allowed) : defaultAllowedShare
}

/** `1 − target` of a document whose good requests are chosen by `grpc_response_status`; undefined for any other. */
function allowedBy(document: JsonValue): number | undefined {
  const query = at(document, [
    'spec',
    'indicator',
    'spec',
    'ratioMetric',
    'good',
    'metricSource',
    'spec',
    'query',
  ])
  if (typeof query !== 'string' || !query.includes('grpc_response_status')) return undefined
  const objectives = at(document, ['spec', 'objectives'])
  if (!Array.isArray(objectives)) return undefined
  const targets = objectives.map((objective: JsonValue) => at(objective, ['target']))
  const shares = targets.filter((target) => typeof target === 'number' && target > 0 && target < 1)
  return shares.length > 0 ? 1 - Math.max(...(shares as number[])) : undefined
}

function at(value: JsonValue, path: readonly string[]): JsonValue | undefined {
  let place: JsonValue | undefined = value
  for (const key of path) {
    if (typeof place !== 'object' || place === null || Array.isArray(place)) return undefined
    place = (place as { readonly [key: string]: JsonValue })[key]
  }
  return place
}
