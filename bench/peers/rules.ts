import { argo } from './argo.ts'
import type { PeerJudge, Step } from './judge.ts'

/** A service's golden signals over the time that the controller looks back on. */
export interface ServiceSeen {
  readonly service: string
  readonly requests: number
  readonly errors: number
  readonly p99Ms: number
}

/** Something that can be done. `callee` is whom it concerns where it changes how `service` calls another. */
export interface Option {
  readonly kind: string
  readonly service: string
  readonly callee?: string
}

export interface RuleInput<T extends Option> {
  readonly services: readonly ServiceSeen[]
  readonly calls: readonly { readonly caller: string; readonly service: string }[]
  readonly options: readonly T[]
}

/** What the rules say: the option they take, or none, and why. */
export interface RuleDecision<T extends Option> {
  readonly option?: T
  /** The service that they hold to be at fault. */
  readonly suspect?: string
  readonly reason: string
}

/** The thresholds that Flagger's tutorial and Argo Rollouts' samples ship. */
export const leastSuccessPercent = 99
export const mostP99Ms = 500

/** What a runbook tries first. Kinds that it does not list are not tried. */
const remedies = {
  errors: ['add_retry', 'add_timeout'],
  latency: ['enable_caching', 'add_timeout', 'batch_calls'],
} as const

/**
 * A rule-based controller. A service breaks a threshold when less than 99 % of its requests succeed, or its 99th percentile is
 * above 500 ms; among those, one is at fault none of whose callees breaks the same threshold (the worst, if several are).
 * Errors are retried where the failing service is called, slowness is cached, or cut off by a timeout.
 */
export function decideByRules<T extends Option>({ services, calls, options }: RuleInput<T>): RuleDecision<T> {
  const served = services.filter(({ requests }) => requests > 0)
  const failing = served.filter((one) => successPercentOf(one) < leastSuccessPercent)
  const slow = served.filter(({ p99Ms }) => p99Ms > mostP99Ms)
  const [kind, broken] = failing.length > 0 ? (['errors', failing] as const) : (['latency', slow] as const)
  const names = new Set(broken.map(({ service }) => service))
  const leaves = broken.filter(
    ({ service }) => !calls.some((call) => call.caller === service && names.has(call.service)),
  )
  const badness = (one: ServiceSeen) => (kind === 'errors' ? 100 - successPercentOf(one) : one.p99Ms)
  const worst = (leaves.length > 0 ? leaves : broken).toSorted(
    (one, other) => badness(other) - badness(one),
  )[0]
  if (worst === undefined) return { reason: 'every service is within its thresholds' }
  const suspect = worst.service
  const reason =
    kind === 'errors'
      ? `${suspect} succeeds in ${successPercentOf(worst).toFixed(2)} % of requests, less than ${leastSuccessPercent} %`
      : `${suspect} has a 99th percentile of ${worst.p99Ms.toFixed(0)} ms, more than ${mostP99Ms} ms`
  const option = remedyFor(suspect, remedies[kind], options)
  return option === undefined
    ? { suspect, reason: `${reason}; no rule has a remedy` }
    : { option, suspect, reason }
}

function successPercentOf({ requests, errors }: ServiceSeen): number {
  return (100 * (requests - errors)) / requests
}

/** At the service itself, or at those who call it; the first kind that there is an option for. */
function remedyFor<T extends Option>(
  suspect: string,
  kinds: readonly string[],
  options: readonly T[],
): T | undefined {
  const concerning = options.filter((option) => (option.callee ?? option.service) === suspect)
  const own = options.filter((option) => option.service === suspect)
  for (const kind of kinds) {
    const found = [...concerning, ...own].find((option) => option.kind === kind)
    if (found !== undefined) return found
  }
  return undefined
}

/** How the rule-based controller judges its own canary: both thresholds each minute, the third failed measurement aborts. */
export function rulesJudge(steps?: readonly Step[]): PeerJudge {
  return argo({
    name: 'rules, Argo Rollouts with limit 2',
    failureLimit: 2,
    successCondition: ({ canary }) =>
      (100 * (canary.requests - canary.errors)) / canary.requests >= leastSuccessPercent &&
      (canary.p99Ms ?? 0) <= mostP99Ms,
    ...(steps !== undefined && { steps }),
  })
}
