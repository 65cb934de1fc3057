import { type Execution, isAtLeast } from './execution.ts'
import type { Runner } from './runner.ts'

/** The runner for an execution, or why there is none. */
export type Choice =
  | { readonly runner: Runner; readonly refusal?: undefined }
  | { readonly runner?: undefined; readonly refusal: string }

/** Takes the first runner (strongest first) that is strong enough, available, willing and allowed; fails closed. */
export function chooseTier(execution: Execution, runners: readonly Runner[], allowHost: boolean): Choice {
  const reasons: string[] = []
  for (const runner of runners) {
    const { tier } = runner.capability
    if (!isAtLeast(tier, execution.leastTier)) continue
    const why = objection(runner, execution, allowHost)
    if (why === '') return { runner }
    reasons.push(`${tier}: ${why}`)
  }
  return {
    refusal: `no tier of this machine is at least ${execution.leastTier} and can run this program. ${reasons.join(' — ')}`,
  }
}

function objection(runner: Runner, execution: Execution, allowHost: boolean): string {
  const { capability, countsAs } = runner
  if (!capability.available) return capability.remark
  if (!isAtLeast(countsAs, execution.leastTier)) return `counts as ${countsAs} here (${capability.remark})`
  if (capability.tier === 'host' && execution.trust !== 'target-own') {
    return 'serves only the target’s own code, which this execution does not claim to be'
  }
  if (capability.tier === 'host' && !allowHost) return 'not allowed by NEXUS_SANDBOX_ALLOW_HOST'
  return runner.declines(execution)
}
