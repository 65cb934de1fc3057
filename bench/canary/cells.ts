import { type Step, threeSteps } from '../peers/judge.ts'

/** One world that rollouts are tried in, and what happens to the canary there. Times in seconds from its first traffic. */
export interface Cell {
  readonly name: string
  readonly requestsPerSecond: number
  readonly steps: readonly Step[]
  /** Share of requests that fail on stable. */
  readonly errorShare: number
  /** How many times stable's share the canary's is. */
  readonly ratio: (second: number) => number
  /** What strikes both versions at once: their shares are multiplied by it. */
  readonly common: (second: number) => number
  /** Bursts that strike each version by itself: gamma variates of mean 1 with this coefficient of variation, for so long. */
  readonly variation: number
  readonly burstSeconds: number
  /** Whether the judge has an hour of stable's past. */
  readonly hasHistory: boolean
}

/** A quarter of an hour with one canary request in twenty: 50 of 1000 in a second. */
const oneInTwenty: readonly Step[] = [{ weightPercent: 5, seconds: 900 }]
const equal = () => 1

const plain: Cell = {
  name: 'equal',
  requestsPerSecond: 1000,
  steps: oneInTwenty,
  errorShare: 0.005,
  ratio: equal,
  common: equal,
  variation: 0,
  burstSeconds: 60,
  hasHistory: true,
}

/** Both versions have 3 % errors for five minutes, from the second minute on. */
const incident = (second: number) => (second >= 120 && second < 420 ? 6 : 1)
const sixfoldLate = (second: number) => (second >= 480 ? 6 : 1)
export const lateSecond = 480

/** Cells for NEXUS alone, at 50 canary requests a second. */
export const ownCells = {
  equal: plain,
  shared: { ...plain, name: 'both versions worse for 5 min', common: incident },
  bursty: { ...plain, name: 'bursts (CV 1, 60 s) on each alone', variation: 1 },
  shortBursts: { ...plain, name: 'bursts (CV 0.5, 10 s)', variation: 0.5, burstSeconds: 10 },
  burstyUnknown: {
    ...plain,
    name: 'bursts (CV 1, 60 s), no history',
    variation: 1,
    hasHistory: false,
  },
  twofold: { ...plain, name: 'twice the errors', ratio: () => 2 },
  tenfold: { ...plain, name: 'ten times the errors', ratio: () => 10 },
  twofoldUnknown: { ...plain, name: 'twice, no history', ratio: () => 2, hasHistory: false },
  tenfoldUnknown: { ...plain, name: 'ten times, no history', ratio: () => 10, hasHistory: false },
  late: { ...plain, name: 'six times from 480 s on', ratio: sixfoldLate },
} satisfies Record<string, Cell>

const stepped: Cell = { ...plain, requestsPerSecond: 100, steps: threeSteps }
const low: Cell = { ...stepped, requestsPerSecond: 5 }

/** Cells that the peers are tried in too: 100 requests a second at 10, 25 and 50 %, five minutes each, and 5 a second. */
export const sharedCells = {
  equal: stepped,
  shared: { ...stepped, name: 'both versions worse for 5 min', common: incident },
  bursty: { ...stepped, name: 'bursts (CV 1, 60 s) on each alone', variation: 1 },
  twofold: { ...stepped, name: 'twice the errors', ratio: () => 2 },
  tenfold: { ...stepped, name: 'ten times the errors', ratio: () => 10 },
  late: { ...stepped, name: 'six times from 480 s on', ratio: sixfoldLate },
  lowEqual: { ...low, name: '5 rps: equal' },
  lowTenfold: { ...low, name: '5 rps: ten times the errors', ratio: () => 10 },
} satisfies Record<string, Cell>
