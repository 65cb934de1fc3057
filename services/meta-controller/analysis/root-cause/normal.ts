import { ascending, quantileOfSorted } from '../../../platform/statistics/order.ts'
import { evidenceIn } from './excess.ts'
import { type Ledger, ledgerOf } from './ledger.ts'
import { type Levels, levelsOf } from './level.ts'
import type { Period } from './load.ts'
import { type Question, type Scene, sceneOf, sliceOf } from './scene.ts'

/** What a normal period taught about a question: usual levels, and how guilty somebody looks when nothing is wrong. */
export interface Normal extends Question {
  readonly levels: Levels
  /** Ascending: the evidence of the first suspect in the windows of the normal period. */
  readonly evidence: Float64Array
  /** Evidence from which a culprit is named. */
  readonly threshold: number
}

/** A normal period has at least so many slots in which the target had requests. */
export const leastSlots = 10
/** Windows that the gate is calibrated on, at most; a longer period is sampled evenly. */
const maxWindows = 600
/** Slots of services in all those windows together. */
const maxCells = 3_000_000
const leastWindows = 40
/** One normal window in twenty has more evidence than the quantile; a culprit takes twice that. */
const quantile = 0.95
const margin = 2
const leastEvidence = 4
const leastEvidenceUncalibrated = 6
/** The target is out of the ordinary itself, and one service has at least half of it. */
const leastDeviationOfTarget = 2
export const leastShare = 0.5

/**
 * Learns what is normal from a period that was. `windowSlots` is the length of the windows that are going to be judged.
 * Undefined when the period has too little of the target to tell.
 */
export function learnNormal(
  period: Period,
  question: Question & { windowSlots: number },
): Normal | undefined {
  const { target, mass, isPerRequest = false } = question
  const scene = sceneOf(period, question)
  if (scene === undefined) return undefined
  const covered = scene.requests.reduce((count, requests) => count + (requests > 0 ? 1 : 0), 0)
  if (covered < leastSlots) return undefined
  const levels = levelsOf(scene, question)
  const evidence = evidenceOfWindows(scene, levels, Math.max(1, Math.floor(question.windowSlots)))
  const threshold =
    evidence.length < leastWindows
      ? leastEvidenceUncalibrated
      : Math.max(leastEvidence, margin * quantileOfSorted(evidence, quantile))
  return { target, mass, isPerRequest, levels, evidence, threshold }
}

function evidenceOfWindows(scene: Scene, levels: Levels, length: number): Float64Array {
  const starts = scene.requests.length - length + 1
  const affordable = Math.max(1, Math.floor(maxCells / (length * scene.services.length)))
  const step = Math.max(1, Math.ceil(starts / Math.min(maxWindows, affordable)))
  const found: number[] = []
  for (let start = 0; start < starts; start += step)
    found.push(evidenceOf(ledgerOf(sliceOf(scene, start, length), levels)))
  return ascending(found)
}

/**
 * The evidence against the first suspect: how far its excess is from usual in the slots where the target is, or over the
 * whole window, whichever is less. 0 when the target is as usual, or when nobody has half of its excess.
 */
export function evidenceOf({ accounts, deviation }: Ledger): number {
  const first = accounts[0]
  if (first === undefined || deviation < leastDeviationOfTarget || first.share < leastShare) return 0
  return Math.max(0, evidenceIn(first))
}
