import type { SliceFinding } from './slices.ts'

/** The questions that are asked of a canary. */
export type QuestionName = 'errors' | 'refusals' | 'latency-p50' | 'latency-p95' | 'latency-p99'

/** What is known about one question; the proto's Evidence without its wire. */
export interface Finding {
  readonly name: QuestionName
  /** Requests that the finding rests on. */
  readonly stableCount: number
  readonly canaryCount: number
  /** Share of events, or the quantile in milliseconds. */
  readonly stableValue: number
  readonly canaryValue: number
  /** log10 of the evidence that the canary is worse, and what it must reach to abort. */
  readonly log10Worse: number
  readonly abortAt: number
  readonly isShownWorse: boolean
  readonly isShownNotWorse: boolean
  readonly remark: string
  /** What the evidence is made of, the strongest first; empty where requests are not told apart. */
  readonly slices: readonly SliceFinding[]
}

/** Evidence of so much against the canary, short of proof, is enough not to promote it. */
export const suspicionLog10 = 1

/** Odds in words. Examples: `12 to 1`, `10^3.1 to 1`. */
export function odds(log10: number): string {
  return log10 < 2 ? `${Math.round(10 ** log10)} to 1` : `10^${log10.toFixed(1)} to 1`
}

/** How a question stands, in words; `shown` is what follows when it is shown that the canary is not worse. */
export function standing(
  finding: Pick<Finding, 'log10Worse' | 'abortAt' | 'isShownWorse' | 'isShownNotWorse'>,
  shown: string,
): string {
  if (finding.isShownWorse) return `${odds(finding.log10Worse)} that it is worse`
  if (finding.isShownNotWorse) return shown
  if (finding.log10Worse >= 0.5) {
    return `${odds(finding.log10Worse)} that it is worse, ${odds(finding.abortAt)} aborts`
  }
  return 'not enough to tell'
}
