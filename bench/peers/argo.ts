import {
  durationOf,
  type PeerJudge,
  type Step,
  sumOf,
  threeSteps,
  type Verdict,
  type Window,
  weightAt,
} from './judge.ts'

/** How one measurement of a metric ended, in Argo's words. */
export type Phase = 'Successful' | 'Failed' | 'Inconclusive' | 'Error'

/** One metric of an AnalysisTemplate, with Argo's defaults. */
export interface ArgoOptions {
  readonly name?: string
  readonly intervalS?: number
  /** What the query looks back on, such as the `[1m]` of `rate(…[1m])`; an `irate` looks back on its last two scrapes. */
  readonly lookbackS?: number
  /** Default: at least 99 % of the canary's requests succeed. NaN (0/0, no traffic) is not at least anything. */
  readonly successCondition?: (window: Window) => boolean
  readonly failureCondition?: (window: Window) => boolean
  readonly failureLimit?: number
  readonly inconclusiveLimit?: number
  readonly consecutiveErrorLimit?: number
  readonly steps?: readonly Step[]
}

/** Argo's default for `consecutiveErrorLimit`; the other limits default to 0. */
const defaultConsecutiveErrorLimit = 4

const successRate = ({ requests, errors }: { requests: number; errors: number }) =>
  (requests - errors) / requests

const mostlySuccessful = (window: Window) => successRate(window.canary) >= 0.99

/**
 * Argo Rollouts' background analysis (analysis/analysis.go): a metric fails when the failed measurements, in total and not in
 * a row, exceed `failureLimit`; is inconclusive when those exceed `inconclusiveLimit`; is in error when `consecutiveErrorLimit`
 * is exceeded. Failed and Error abort, Inconclusive pauses; with no count it succeeds when the steps end, so that promotion
 * follows from time alone. The first measurement is one interval after the start, as `initialDelay` is set in practice.
 */
export function argo(options: ArgoOptions = {}): PeerJudge {
  const {
    intervalS = 60,
    lookbackS = intervalS,
    failureLimit = 0,
    inconclusiveLimit = 0,
    consecutiveErrorLimit = defaultConsecutiveErrorLimit,
    steps = threeSteps,
  } = options
  const tickS = Math.min(intervalS, lookbackS)
  const recent: Window[] = []
  const counts = { failed: 0, inconclusive: 0, consecutiveError: 0 }
  let elapsedS = 0
  let ended: Verdict | undefined

  const assess = (): Verdict => {
    if (counts.failed > failureLimit) return 'abort'
    if (counts.inconclusive > inconclusiveLimit) return 'pause'
    return counts.consecutiveError > consecutiveErrorLimit ? 'abort' : 'continue'
  }
  const measure = (): void => {
    const phase = phaseOf(sumOf(recent), options)
    if (phase === 'Failed') counts.failed++
    if (phase === 'Inconclusive') counts.inconclusive++
    counts.consecutiveError = phase === 'Error' ? counts.consecutiveError + 1 : 0
  }
  return {
    name: options.name ?? `Argo Rollouts, limit ${failureLimit}`,
    intervalS: tickS,
    get weightPercent() {
      return weightAt(steps, elapsedS)
    },
    observe(window) {
      if (ended !== undefined) return ended
      elapsedS += tickS
      recent.push(window)
      if (recent.length > Math.max(1, Math.round(lookbackS / tickS))) recent.shift()
      if (Math.round(elapsedS / tickS) % Math.round(intervalS / tickS) === 0) measure()
      const verdict = assess()
      if (verdict !== 'continue') ended = verdict
      else if (elapsedS >= durationOf(steps)) ended = 'promote'
      return ended ?? 'continue'
    },
  }
}

/**
 * utils/evaluate: the failure condition is looked at first; with both conditions given and neither true the measurement is
 * inconclusive; a condition that throws is an error.
 */
export function phaseOf(window: Window, options: ArgoOptions): Phase {
  const { failureCondition } = options
  const successCondition =
    options.successCondition ?? (failureCondition === undefined ? mostlySuccessful : undefined)
  try {
    if (failureCondition?.(window)) return 'Failed'
    if (successCondition === undefined || successCondition(window)) return 'Successful'
    return failureCondition === undefined ? 'Failed' : 'Inconclusive'
  } catch {
    return 'Error'
  }
}

/**
 * The sample of Argo's documentation (docs/features/analysis.md): every 5 minutes, at least 95 % of the requests to the whole
 * service, stable included, over an `irate`, that is the last two scrapes; failureLimit 3. It cannot fail before its fourth
 * measurement. Its own steps last 40 minutes: 20, 40, 60 and 80 % for ten minutes each.
 */
export function argoDocsSample(scrapeS = 15): PeerJudge {
  return argo({
    name: 'Argo Rollouts, documented sample',
    intervalS: 300,
    lookbackS: scrapeS,
    failureLimit: 3,
    successCondition: ({ canary, stable }) =>
      successRate({
        requests: canary.requests + stable.requests,
        errors: canary.errors + stable.errors,
      }) >= 0.95,
    steps: [20, 40, 60, 80].map((weightPercent) => ({ weightPercent, seconds: 600 })),
  })
}
