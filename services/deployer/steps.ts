import { suspicionLog10 } from './judge/finding.ts'
import type { Judgement } from './judge/judge.ts'

/** A step is not left before the canary has answered so many requests in it: time alone is no evidence. */
export const minStepRequests = 20
/** A fresh process compiles its code: its latency is not judged before, nor before it has answered so many requests. */
const warmUpSeconds = 5
const warmUpRequests = 50

/** Where a rollout stands at a moment. Seconds are undefined before the canary has had its first request. */
export interface Standing {
  readonly judgement: Judgement
  readonly step: number
  readonly steps: readonly { readonly weight: number; readonly minSeconds: number }[]
  readonly secondsSinceStart: number
  readonly secondsSinceFirstTraffic: number | undefined
  readonly secondsInStep: number
  readonly canaryRequestsInStep: number
  /** Since its first. */
  readonly canaryRequests: number
  readonly maxSeconds: number
}

export type Move = 'abort' | 'promote' | 'advance' | 'stay' | 'give up'

/** What to do next. Pure; asked after every slot. */
export function nextMove(standing: Standing): Move {
  const { judgement, step, steps } = standing
  if (judgement.verdict === 'worse') return 'abort'
  const isLast = step === steps.length - 1
  if (isBaked(standing)) {
    if (isLast && judgement.verdict === 'not worse') return 'promote'
    if (!isLast && !isSuspect(judgement)) return 'advance'
  }
  return standing.secondsSinceStart >= standing.maxSeconds ? 'give up' : 'stay'
}

/** Whether the canary has run long enough for its latency to speak of its code. */
export function isWarm({
  secondsSinceFirstTraffic = 0,
  canaryRequests,
}: Pick<Standing, 'secondsSinceFirstTraffic' | 'canaryRequests'>): boolean {
  return secondsSinceFirstTraffic >= warmUpSeconds && canaryRequests >= warmUpRequests
}

function isBaked({
  step,
  steps,
  secondsInStep,
  secondsSinceFirstTraffic = 0,
  canaryRequestsInStep,
}: Standing): boolean {
  const seconds = Math.min(secondsInStep, secondsSinceFirstTraffic)
  return seconds >= steps[step]!.minSeconds && canaryRequestsInStep >= minStepRequests
}

/** Evidence against the canary that is not yet proof keeps it where it is. */
function isSuspect({ findings }: Judgement): boolean {
  return findings.some((finding) => finding.log10Worse >= suspicionLog10)
}
