import { significant } from './excess.ts'
import { type Account, type Ledger, ledgerOf } from './ledger.ts'
import type { Mass, Period } from './load.ts'
import { evidenceOf, leastShare, type Normal } from './normal.ts'
import { type Question, sceneOf } from './scene.ts'

/** A service that causes the excess of the target. */
export interface Cause {
  readonly service: string
  /** Of the target's excess what is this service's own, 0 to 1. */
  readonly share: number
  /** How far its excess is from usual, in robust standard deviations; 0 where no usual is known. */
  readonly deviation: number
  readonly remark: string
}

/** Who causes what is wrong with the target, as far as the masses tell. */
export interface Attribution {
  readonly target: string
  readonly mass: Mass
  /** Above normal, for each request of the target: seconds, or failures. */
  readonly excess: number
  readonly deviation: number
  /** Ranked; those without a share and as usual are left out, but one is always there if the target has telemetry. */
  readonly causes: readonly Cause[]
  /** Share of the excess that no service out of the ordinary has, 0 to 1. */
  readonly unexplainedShare: number
  /** Named only if the evidence is beyond what normal windows have, or, without a normal period, if the caller found a promise broken. */
  readonly culprit?: string
  readonly evidence: number
  readonly threshold: number
  /** Share of normal windows with at least that evidence, counting this one: a conformal p-value. 1 without a normal period. */
  readonly pValue: number
  readonly remark: string
}

const maxCauses = 20
const leastListedShare = 0.01

/**
 * Excess-mass attribution: request time and failed requests are conserved along calls, so each service's excess over its
 * normal period, less that of the callees that are out of the ordinary, is its own share of the target's excess
 * (what z-scores of latencies throw away is this unit). Names a culprit only beyond what the windows of the normal period show.
 *
 * Without a normal period (`normal` undefined) the whole time, or all failures, are shared out, and a culprit is named only
 * if `isViolated` says that the caller found the target's promise broken. A target without telemetry or requests gives no causes.
 *
 * Example: A calls B, each request of both took 10 ms normally; now A's take 110 ms and B's 105 ms: B has 95 % of A's excess
 * and is named.
 */
export function attribute(
  window: Period,
  question: Question & { isViolated?: boolean },
  normal?: Normal,
): Attribution {
  const { target, mass } = question
  const isPerRequest = normal?.isPerRequest ?? question.isPerRequest ?? false
  const scene = sceneOf(window, { target, mass, isPerRequest })
  const ledger = scene && ledgerOf(scene, normal?.levels)
  if (ledger === undefined || !Number.isFinite(ledger.excess) || !scene?.requests.some((count) => count > 0))
    return nothingSeen(question, normal)
  const evidence = evidenceOf(ledger)
  const threshold = normal?.threshold ?? 0
  const first = ledger.accounts[0]!
  const isNamed =
    ledger.excess > 0 &&
    first.share >= leastShare &&
    (normal === undefined ? question.isViolated === true : evidence >= threshold)
  const culprit = isNamed ? first.service : undefined
  const unexplainedShare = unexplainedOf(ledger, normal !== undefined)
  return {
    target,
    mass,
    excess: ledger.excess,
    deviation: ledger.deviation,
    causes: causesOf(ledger, question, normal !== undefined),
    unexplainedShare,
    ...(culprit !== undefined && { culprit }),
    evidence,
    threshold,
    pValue: normal === undefined ? 1 : conformalPValue(normal.evidence, evidence),
    remark: remarkOf(ledger, { ...question, culprit, unexplainedShare, isCompared: normal !== undefined }),
  }
}

function nothingSeen({ target, mass }: Question, normal: Normal | undefined): Attribution {
  const remark = `${target} has no requests in the window: nothing to attribute`
  const threshold = normal?.threshold ?? 0
  const none = { excess: 0, deviation: 0, causes: [], unexplainedShare: 0, evidence: 0, pValue: 1 }
  return { target, mass, ...none, threshold, remark }
}

function conformalPValue(ascendingEvidence: Float64Array, evidence: number): number {
  const atLeast = ascendingEvidence.length - firstNotBelow(ascendingEvidence, evidence)
  return (1 + atLeast) / (1 + ascendingEvidence.length)
}

function firstNotBelow(sorted: Float64Array, value: number): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}

function unexplainedOf({ excess, accounts }: Ledger, isCompared: boolean): number {
  if (!(excess > 0)) return 0
  const explaining = accounts.filter((account) => !isCompared || account.deviation > significant)
  const explained = explaining.reduce((sum, account) => sum + account.share, 0)
  return Math.max(0, 1 - explained)
}

function causesOf({ accounts }: Ledger, question: Question, isCompared: boolean): Cause[] {
  const listed = accounts.filter(
    (account, rank) => rank === 0 || account.share >= leastListedShare || account.deviation > significant,
  )
  return listed.slice(0, maxCauses).map((account) => ({
    service: account.service,
    share: Math.min(1, account.share),
    deviation: account.deviation,
    remark: causeRemark(account, question, isCompared),
  }))
}

function causeRemark(account: Account, { target, mass }: Question, isCompared: boolean): string {
  const what = isCompared ? `added ${wordOf[mass]}` : wordOf[mass]
  const share = `${account.service} has ${percent(Math.min(1, account.share))} of the ${what} of ${target}`
  const amount = `${amountOf(account.own, mass)} a request`
  if (!isCompared) return `${share}, ${amount}`
  return `${share}, ${amount}, ${account.deviation.toFixed(1)} standard deviations from its normal period`
}

const wordOf: Readonly<Record<Mass, string>> = { latency: 'time', errors: 'failures' }

function remarkOf(
  { excess, accounts }: Ledger,
  context: Question & { culprit: string | undefined; unexplainedShare: number; isCompared: boolean },
): string {
  const { target, mass, culprit, unexplainedShare, isCompared } = context
  if (!(excess > 0)) return `${target} has no more ${wordOf[mass]} than in its normal period`
  const unexplained =
    unexplainedShare >= leastListedShare ? `; ${percent(unexplainedShare)} is unexplained` : ''
  if (culprit !== undefined) return causeRemark(accounts[0]!, context, isCompared) + unexplained
  const amount = `${amountOf(excess, mass)} a request`
  const of = isCompared ? `${amount} more ${wordOf[mass]} than normal` : `${amount} of ${wordOf[mass]}`
  return `${target} has ${of}; no culprit stands out${unexplained}`
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

function amountOf(value: number, mass: Mass): string {
  return mass === 'latency' ? `${(value * 1000).toPrecision(3)} ms` : `${value.toPrecision(2)} failures`
}
