/** Requests of one version in a window of time. */
export interface Arm {
  readonly requests: number
  readonly errors: number
  /** 99th percentile of the latency; absent when nobody asks for latency. */
  readonly p99Ms?: number
}

/** What a canary judge sees at once: both versions over the last `seconds`. */
export interface Window {
  readonly canary: Arm
  readonly stable: Arm
  readonly seconds: number
}

/** `pause` waits for a person (Argo's Inconclusive); whatever comes after `abort`, `promote` or `pause` is the same again. */
export type Verdict = 'continue' | 'abort' | 'promote' | 'pause'

/** A published decision procedure, to be called once each `intervalS` with that interval's counts. */
export interface PeerJudge {
  readonly name: string
  readonly intervalS: number
  /** The share of requests in percent that this controller sends to the canary until the next call. */
  readonly weightPercent: number
  observe(window: Window): Verdict
}

/** One step of a rollout: the canary's weight, for so long. */
export interface Step {
  readonly weightPercent: number
  readonly seconds: number
}

/** Fifteen minutes at 10, 25 and 50 %. */
export const threeSteps: readonly Step[] = [
  { weightPercent: 10, seconds: 300 },
  { weightPercent: 25, seconds: 300 },
  { weightPercent: 50, seconds: 300 },
]

/** How long the steps last together. */
export function durationOf(steps: readonly Step[]): number {
  return steps.reduce((total, step) => total + step.seconds, 0)
}

/** The weight after so many seconds; the last step's beyond the end. */
export function weightAt(steps: readonly Step[], seconds: number): number {
  let end = 0
  for (const step of steps) {
    end += step.seconds
    if (seconds < end) return step.weightPercent
  }
  return steps.at(-1)?.weightPercent ?? 0
}

/** Both arms of several windows together; the latency of the last, since percentiles do not add. */
export function sumOf(windows: readonly Window[]): Window {
  const last = windows.at(-1)
  const arm = (pick: (window: Window) => Arm): Arm => ({
    requests: windows.reduce((total, window) => total + pick(window).requests, 0),
    errors: windows.reduce((total, window) => total + pick(window).errors, 0),
    p99Ms: last && pick(last).p99Ms,
  })
  return {
    canary: arm((window) => window.canary),
    stable: arm((window) => window.stable),
    seconds: windows.reduce((total, window) => total + window.seconds, 0),
  }
}
