import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { JournalEvent } from '../platform/journal/journal.ts'
import type { ComparedSlot } from './comparison.ts'
import type { Finding } from './judge/finding.ts'
import type { JudgeVerdict } from './judge/judge.ts'

/**
 * The states of a deployment, and what leads from one to the next:
 *
 *   starting ──the canary is ready──▶ progressing ──not worse, at the last step──▶ watching ──no alarm──▶ promoted
 *      │                                  │                                            └──an alarm─┐
 *      │                                  ├──worse, or the canary died, or asked to (also later)──┴▶ aborted
 *      │                                  └──max_seconds without enough evidence──▶ inconclusive
 *      └──the canary does not start──▶ failed
 *
 * A promoted deployment may be taken back, and is retracted then: git would not have its commit.
 * While it is watched the canary has all the traffic, and stable waits to have it back.
 *
 * A restart of NEXUS leads an unfinished deployment back to starting, with no evidence and all traffic on stable, and after
 * `maxAttempts` of them to failed. The journal's stream `deployment/<id>` holds `begun`, then `attempted`, `stepped` and `watching` as
 * often as need be, then `ended`. Evidence is journalled with the end only: what an interrupted attempt saw is not used again.
 */
export type DeploymentState = 'starting' | 'progressing' | 'watching' | EndState
export type EndState = 'promoted' | 'aborted' | 'inconclusive' | 'failed' | 'retracted'

/** Interrupted so often, a deployment is given up. */
export const maxAttempts = 10

/** A gradual deployment of one commit of one target. */
export interface Deployment {
  readonly id: string
  readonly changeId: string
  readonly objectiveId: string
  readonly target: string
  readonly commit: string
  /** What was stable when it began. */
  readonly stableCommit: string
  readonly state: DeploymentState
  readonly steps: readonly { readonly weight: number; readonly minSeconds: number }[]
  /** Index of the step it is at. */
  readonly step: number
  /** The weight in force, in percent. */
  readonly weight: number
  readonly verdict: JudgeVerdict
  readonly findings: readonly Finding[]
  /** Why it ended as it did; empty before. */
  readonly reason: string
  /** From the first canary traffic to the end, or to now. */
  readonly seconds: number
  /** Undefined while the canary has had none. */
  readonly trafficBeganAtMs?: number | undefined
  /** What stable's past told the judge; undefined before the canary has started. */
  readonly calibration?: CalibrationSummary | undefined
  /** Both versions side by side; empty before the end. */
  readonly slots: readonly ComparedSlot[]
  readonly createdAtMs: number
  /** Undefined before the end. */
  readonly endedAtMs: number | undefined
  /** How often it was begun, restarts of NEXUS included. */
  readonly attempts: number
}

/** How bursty stable was, question by question. */
export interface CalibrationSummary {
  readonly historySeconds: number
  readonly burstiness: readonly {
    readonly name: string
    /** Coefficient of variation from burst to burst. */
    readonly variation: number
    readonly burstSeconds: number
    readonly events: number
  }[]
}

/** How a deployment ended. */
export interface Outcome {
  readonly state: EndState
  readonly reason: string
  readonly verdict: JudgeVerdict
  readonly findings: readonly Finding[]
  readonly seconds: number
  readonly trafficBeganAtMs?: number | undefined
  readonly calibration?: CalibrationSummary | undefined
  readonly slots: readonly ComparedSlot[]
}

const begunShape = z.object({
  id: z.string(),
  changeId: z.string(),
  objectiveId: z.string(),
  target: z.string(),
  commit: z.string(),
  stableCommit: z.string(),
  steps: z.array(z.object({ weight: z.number(), minSeconds: z.number() })),
})

const findingShape = z.object({
  name: z.enum(['errors', 'refusals', 'latency-p50', 'latency-p95', 'latency-p99']),
  stableCount: z.number(),
  canaryCount: z.number(),
  stableValue: z.number(),
  canaryValue: z.number(),
  log10Worse: z.number(),
  abortAt: z.number(),
  isShownWorse: z.boolean(),
  isShownNotWorse: z.boolean(),
  remark: z.string(),
  slices: z
    .array(
      z.object({
        method: z.string(),
        status: z.number(),
        stableRequests: z.number(),
        stableEvents: z.number(),
        canaryRequests: z.number(),
        canaryEvents: z.number(),
        log10Worse: z.number(),
        isListed: z.boolean(),
      }),
    )
    .default([]),
})

const armShape = z.object({
  requests: z.number(),
  errors: z.number(),
  refusals: z.number(),
  meanMs: z.number(),
  p50Ms: z.number(),
  p95Ms: z.number(),
  p99Ms: z.number(),
})

const slotShape = z.object({
  startSeconds: z.number(),
  seconds: z.number(),
  weight: z.number(),
  stable: armShape,
  canary: armShape,
})

const calibrationShape = z.object({
  historySeconds: z.number(),
  burstiness: z.array(
    z.object({ name: z.string(), variation: z.number(), burstSeconds: z.number(), events: z.number() }),
  ),
})

const steppedShape = z.object({ step: z.number(), weight: z.number() })

const endedShape = z.object({
  state: z.enum(['promoted', 'aborted', 'inconclusive', 'failed']),
  reason: z.string(),
  verdict: z.enum(['worse', 'not worse', 'not enough evidence']),
  findings: z.array(findingShape),
  seconds: z.number(),
  // Absent in journals of the first version.
  trafficBeganAtMs: z.number().optional(),
  calibration: calibrationShape.optional(),
  slots: z.array(slotShape).default([]),
})

const retractedShape = z.object({ reason: z.string() })

/** What is journalled when a deployment begins. */
export type Begun = z.infer<typeof begunShape>

/** The id of a deployment: the same for the same change and commit. */
export function deploymentId(changeId: string, commit: string): string {
  return createHash('sha256')
    .update(JSON.stringify([changeId, commit]))
    .digest('hex')
    .slice(0, 16)
}

export function streamOf(id: string): string {
  return `deployment/${id}`
}

export function isEnded({ state }: Deployment): boolean {
  return state !== 'starting' && state !== 'progressing' && state !== 'watching'
}

/** A deployment as its stream tells it; undefined for a stream without a beginning. Errors: ZodError for an event of another shape. */
export function replay(events: readonly JournalEvent[]): Deployment | undefined {
  let deployment: Deployment | undefined
  for (const event of events) deployment = next(deployment, event)
  return deployment
}

/** The deployment after one more event of its stream. */
export function next(
  deployment: Deployment | undefined,
  { type, data, atMs }: JournalEvent,
): Deployment | undefined {
  if (type === 'begun') return begin(begunShape.parse(data), atMs)
  if (!deployment) return undefined
  if (type === 'attempted') {
    const attempts = deployment.attempts + 1
    return { ...deployment, state: 'starting', step: 0, weight: 0, attempts, ...noEvidence }
  }
  if (type === 'stepped') return { ...deployment, state: 'progressing', ...steppedShape.parse(data) }
  if (type === 'watching') return { ...deployment, state: 'watching', weight: 100 }
  if (type === 'retracted') return { ...deployment, state: 'retracted', ...retractedShape.parse(data) }
  if (type === 'ended') return { ...deployment, ...endedShape.parse(data), weight: 0, endedAtMs: atMs }
  return deployment
}

const noEvidence = {
  verdict: 'not enough evidence',
  findings: [],
  seconds: 0,
  slots: [],
  trafficBeganAtMs: undefined,
  calibration: undefined,
} as const

function begin(begun: Begun, atMs: number): Deployment {
  return {
    ...begun,
    ...noEvidence,
    state: 'starting',
    step: 0,
    weight: 0,
    reason: '',
    createdAtMs: atMs,
    endedAtMs: undefined,
    attempts: 0,
  }
}
