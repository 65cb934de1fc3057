import { attribute } from '../../services/meta-controller/analysis/root-cause/attribution.ts'
import type { Period } from '../../services/meta-controller/analysis/root-cause/load.ts'
import { learnNormal, type Normal } from '../../services/meta-controller/analysis/root-cause/normal.ts'
import type { Question } from '../../services/meta-controller/analysis/root-cause/scene.ts'
import { medianOf } from '../../services/platform/statistics/order.ts'
import type { Issue, Traffic } from './petshop.ts'

/** How an incident was attributed. */
export interface Outcome extends Issue {
  readonly traffic: string
  /** Of the true cause among those given, from 1; infinite when it is not there. */
  readonly rank: number
  readonly culprit: string | undefined
}

/** The targets and masses that the issues ask about, each once. */
export function questionsOf(issues: readonly Issue[]): Question[] {
  return [...new Map(issues.map(({ target, mass }) => [keyOf({ target, mass }), { target, mass }])).values()]
}

/** How many slots a typical issue has. */
export function windowSlotsOf(issues: readonly Issue[]): number {
  const lengths = issues.map(({ window }) => window.services[0]?.slots.length ?? 0)
  return Math.max(1, Math.round(medianOf(lengths)))
}

/** Learns the normal period once for each question, then attributes every issue. */
export function outcomesOf({ name, normal, issues }: Traffic): Outcome[] {
  const normals = learnAll(normal, issues)
  return issues.map((issue) => {
    const { causes, culprit } = attribute(issue.window, issue, normals.get(keyOf(issue)))
    const place = causes.findIndex(({ service }) => service === issue.rootCause)
    return { ...issue, traffic: name, rank: place < 0 ? Number.POSITIVE_INFINITY : place + 1, culprit }
  })
}

function learnAll(normal: Period, issues: readonly Issue[]): Map<string, Normal | undefined> {
  const windowSlots = windowSlotsOf(issues)
  return new Map(
    questionsOf(issues).map((question) => [
      keyOf(question),
      learnNormal(normal, { ...question, windowSlots }),
    ]),
  )
}

function keyOf({ target, mass }: Question): string {
  return JSON.stringify([target, mass])
}

/** Windows of a normal period, and those of them in which somebody was accused. */
export interface Accusations {
  readonly windows: number
  readonly accused: number
}

const folds = 10

/**
 * Asks the question of each window of a normal period. What is normal is learned from the period without the tenth that the
 * window lies in, and without a window's length on both sides of it.
 */
export function accusationsIn(normal: Period, question: Question, windowSlots: number): Accusations {
  const slots = normal.services[0]?.slots.length ?? 0
  let windows = 0
  let accused = 0
  for (let fold = 0; fold < folds; fold++) {
    const from = Math.floor((fold * slots) / folds)
    const until = Math.min(Math.floor(((fold + 1) * slots) / folds), slots - windowSlots + 1)
    const rest = without(normal, from - windowSlots, until + 2 * windowSlots)
    const learned = learnNormal(rest, { ...question, windowSlots })
    for (let start = from; start < until; start++) {
      const window = part(normal, start, start + windowSlots)
      windows++
      if (attribute(window, question, learned).culprit !== undefined) accused++
    }
  }
  return { windows, accused }
}

function part({ services, calls }: Period, from: number, until: number): Period {
  return { services: services.map((one) => ({ ...one, slots: one.slots.slice(from, until) })), calls }
}

function without({ services, calls }: Period, from: number, until: number): Period {
  return {
    services: services.map((one) => ({
      ...one,
      slots: one.slots.filter((_, slot) => slot < from || slot >= until),
    })),
    calls,
  }
}
