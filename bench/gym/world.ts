import { type Random, seededRandom, shuffled } from '../../services/platform/statistics/random.ts'
import { type Focus, type KindName, kinds } from './kinds.ts'
import type { ChangeLog } from './log.ts'
import type { CallPolicy, MeshSpec, VersionSpec } from './mesh.ts'
import { drawMesh, type EdgeName, edgesOf, medianOfTree, oneOf, sharesOf } from './topology.ts'

export type InterventionKind = 'add_timeout' | 'add_retry' | 'enable_caching'

/** A change that is at hand: how the caller of an edge would call. Both controllers choose among the same. */
export interface Intervention {
  readonly name: string
  readonly kind: InterventionKind
  readonly edge: EdgeName
  readonly policy: CallPolicy
  /** What a trial of it runs, before it is built in earnest. */
  readonly trial: VersionSpec
  /** What is rolled out; not the same where the change has a defect. */
  readonly shipped: VersionSpec
}

export interface World {
  readonly seed: number
  readonly kind: KindName
  readonly spec: MeshSpec
  readonly interventions: readonly Intervention[]
  /** Where the trouble lies; absent where there is none, or it comes from outside. */
  readonly rootCause?: string
  /** What is told of an earlier change of the same kind as one of the interventions, by that one's name. */
  readonly log?: { readonly intervention: string; readonly rows: ChangeLog }
}

/** All times in milliseconds from the start of a world. */
export const times = {
  /** Telemetry before this is left out: queues and caches fill. */
  warmMs: 5000,
  /** What goes wrong begins. */
  onsetMs: 125_000,
  /** The controllers begin to act. */
  actMs: 155_000,
} as const

/** What all worlds promise: this share of requests good, that is without error and within the time. Flagger's defaults. */
export const promise = { objective: 0.99, thresholdMs: 500 } as const

/** The world of a seed. Kinds take turns, so that each run of seeds has as many of each. */
export function drawWorld(seed: number): World {
  const random = seededRandom(seed)
  const kind = kinds[seed % kinds.length]!
  const mesh = drawMesh(random)
  const focus = drawFocus(random, mesh, kind.callers)
  const drawn = kind.draw({ random, mesh, focus, onsetMs: times.onsetMs, actMs: times.actMs })
  const edges = drawn.edges ?? [focus.edge, focus.above, focus.elsewhere]
  const isDefective = drawn.defect !== undefined || drawn.defectMs !== undefined
  const interventions = offered(random, drawn.spec, edges).map((one) => ({
    ...one,
    shipped: isDefective
      ? { ...one.trial, ...drawn.defect, ...slowed(drawn.spec, one.edge.caller, drawn.defectMs) }
      : one.trial,
  }))
  return {
    seed,
    kind: kind.name,
    spec: drawn.spec,
    interventions,
    rootCause: drawn.rootCause,
    ...(drawn.log && { log: { intervention: nameOf('enable_caching', focus.edge), rows: drawn.log } }),
  }
}

function slowed(spec: MeshSpec, name: string, workMs: number | undefined): VersionSpec {
  const own = spec.services.find((service) => service.name === name)!
  return workMs === undefined ? {} : { workFactor: workMs / own.work.medianMs }
}

/** An edge in the middle of the mesh that a good part of all requests takes, with an edge above it. */
function drawFocus(random: Random, mesh: MeshSpec, leastCallers: number): Focus {
  const shares = sharesOf(mesh)
  const edges = edgesOf(mesh)
  const callersOf = (name: string) => edges.filter(({ callee }) => callee === name).length
  const inner = edges.filter(
    ({ caller, callee }) =>
      !caller.startsWith('front') && (shares.get(callee) ?? 0) > 0.3 && callersOf(callee) >= leastCallers,
  )
  const edge = oneOf(random, inner)
  const above = edges.find(({ callee }) => callee === edge.caller)!
  const elsewhere = oneOf(
    random,
    edges.filter((other) => other !== edge && other !== above && !other.caller.startsWith('front')),
  )
  return { edge, above, elsewhere }
}

function nameOf(kind: InterventionKind, { caller, callee }: EdgeName): string {
  return `${kind} ${caller} → ${callee}`
}

const retries = { attempts: 3, backoffMs: 10, jitter: 0.5 }
const cacheTtlMs = 60_000

/** Each kind of intervention at each of the edges, in an order that tells nothing. */
function offered(
  random: Random,
  spec: MeshSpec,
  edges: readonly EdgeName[],
): Omit<Intervention, 'shipped'>[] {
  const all = edges.flatMap((edge) => {
    // As the recipe sets it: three times what the callee's answer takes as a rule, and never so little that jitter trips it.
    const perTryTimeoutMs = Math.max(50, Math.round(3 * medianOfTree(spec, edge.callee)))
    const policies: [InterventionKind, CallPolicy][] = [
      ['add_timeout', { perTryTimeoutMs }],
      ['add_retry', retries],
      ['enable_caching', { cacheTtlMs }],
    ]
    return policies.map(([kind, policy]) => ({
      name: nameOf(kind, edge),
      kind,
      edge,
      policy,
      trial: { calls: { [edge.callee]: policy } },
    }))
  })
  return shuffled(all, random)
}
