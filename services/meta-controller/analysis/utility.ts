import type { Risk } from './risk.ts'

/** What is expected of a change: the relative improvement of the metric (0.4: 40 % less of what is bad), with its standard error. */
export interface Prospect {
  readonly gain: number
  readonly standardError: number
}

/** An obligation as the prover left it. */
export interface ProofOutcome {
  readonly name: string
  readonly status: 'proven' | 'refuted' | 'not proven'
  /** The counterexample, or why there is no proof. */
  readonly remark?: string
}

/** A reason that no gain outweighs. */
export interface Veto {
  readonly name: 'obligation' | 'worst burn' | 'harm' | 'rollback' | 'confounding'
  /** In words, with the figure and its limit. */
  readonly reason: string
}

/** Above these no gain counts. */
export const vetoLimits = {
  /** Share of the error budget that one rollout may spend. */
  worstBurn: 0.5,
  harmProbability: 0.5,
  rollbackS: 300,
  /** Share of refutations that may fail. */
  confounding: 0.5,
} as const

/** Whether a change does harm is what its canary measures: before it, evidence must make harm likely, not just as likely as not. */
export const limitsBeforeCanary: VetoLimits = { ...vetoLimits, harmProbability: 0.9 }

export type VetoLimits = { readonly [Limit in keyof typeof vetoLimits]: number }

/** One-sided 95 %. */
const cautiousDeviations = 1.645
/** What the greatest risk costs, in the same unit as the gain. */
const priceOfRisk = 0.2

/** What the gate says of a change. */
export interface Appraisal {
  readonly vetoes: readonly Veto[]
  /** Gain at its lower confidence limit less the price of the risk. -Infinity when that is not known. */
  readonly utility: number
  /** No veto and a utility above 0. */
  readonly isWorthIt: boolean
}

/**
 * The gate (reference: intelligence.md 6): hard vetoes first, each in words; then the expected utility at the lower confidence limit,
 * τ̂ − 1.645 se − 0.2 × score/100, so that uncertainty lowers the rank by itself. More of any risk, less gain or a larger standard error never turn "no" into "yes".
 * Example: gain 0.3, standard error 0.1, score 24 and no veto: 0.3 − 0.1645 − 0.048 = 0.0875, worth it.
 */
export function appraise(
  prospect: Prospect,
  risk: Risk,
  outcomes: readonly ProofOutcome[],
  limits: VetoLimits = vetoLimits,
): Appraisal {
  const vetoes = [...unproven(outcomes), ...excesses(risk, limits)]
  const lowest = prospect.gain - cautiousDeviations * Math.max(0, prospect.standardError)
  const net = lowest - (priceOfRisk * risk.score) / 100
  const utility = Number.isNaN(net) ? -Infinity : net
  return { vetoes, utility, isWorthIt: vetoes.length === 0 && utility > 0 }
}

function unproven(outcomes: readonly ProofOutcome[]): Veto[] {
  return outcomes
    .filter(({ status }) => status !== 'proven')
    .map(({ name, status, remark }) => ({
      name: 'obligation',
      reason: `${name} is ${status}${remark === undefined ? '' : `: ${remark}`}`,
    }))
}

function excesses(risk: Risk, limits: VetoLimits): Veto[] {
  const vetoes: Veto[] = []
  const percent = (share: number) => `${Number((share * 100).toPrecision(3))} %`
  const { worstBurn, harmProbability, rollbackS, confounding } = limits
  // Written so that NaN is vetoed.
  if (!(risk.worstBurn <= worstBurn)) {
    const reason = `the rollout can spend ${percent(risk.worstBurn)} of the error budget, ${percent(worstBurn)} is the limit`
    vetoes.push({ name: 'worst burn', reason })
  }
  if (!(risk.harmProbability <= harmProbability)) {
    const reason = `it does harm with probability ${percent(risk.harmProbability)}, ${percent(harmProbability)} is the limit`
    vetoes.push({ name: 'harm', reason })
  }
  if (!(risk.rollbackS <= rollbackS)) {
    const reason = `the way back takes ${risk.rollbackS} s, ${rollbackS} s is the limit`
    vetoes.push({ name: 'rollback', reason })
  }
  if (!(risk.confounding <= confounding)) {
    const reason = `its effect did not survive ${percent(risk.confounding)} of the refutations, ${percent(confounding)} is the limit`
    vetoes.push({ name: 'confounding', reason })
  }
  return vetoes
}
