import type { Decision, Effect } from '../gen/nexus/meta_controller/v1/objective_pb.ts'
import type { Narrator } from './narrator.ts'

/** Shows what a decision rests on: p-value, shares of the excess, effect with its refutations, risk and what was proved. */
export function showDecision(decision: Decision, narrator: Narrator): void {
  narrator.verbatim('what the decision rests on', evidenceOf(decision).join('\n'))
}

/** Pure: a line a fact. */
export function evidenceOf(decision: Decision): string[] {
  const { anomalies, rootCauses, unexplainedShare, relatedKnowledge, effect, risk, obligations } = decision
  return [
    ...anomalies.map((one) => `anomaly     p = ${one.pValue.toExponential(1)}  ${one.remark}`),
    ...rootCauses.map((one) => `cause       ${percent(one.share)} of the excess: ${one.service}`),
    ...(rootCauses.length > 0
      ? [`cause       ${percent(unexplainedShare)} of the excess is unexplained`]
      : []),
    ...relatedKnowledge.map((one) => `known       ${one}`),
    ...(effect === undefined ? [] : effectLines(effect)),
    ...(risk === undefined
      ? []
      : [
          `risk        ${risk.score} of 100: blast radius ${percent(risk.blastRadius)}, P(harm) ${percent(risk.harmProbability)}, worst burn ${percent(risk.worstBurn)} of the error budget, back in ${risk.rollbackS} s, novelty ${percent(risk.novelty)}, ${risk.lines} lines in ${risk.files} files`,
        ]),
    ...obligations.map((one) => `obligation  ${one.status}: ${one.statement}`),
  ]
}

function effectLines(effect: Effect): string[] {
  if (effect.origin === 'none') return ['effect      not known before the canary']
  const interval = `${signed(effect.estimate)} (95 %: ${signed(effect.low)} to ${signed(effect.high)})`
  const by = effect.method === '' ? effect.origin : `${effect.method} over the ${effect.origin}`
  const strength =
    effect.eValue > 0
      ? `, E-value ${effect.eValue.toFixed(1)}, robustness value ${effect.robustnessValue.toFixed(2)}`
      : ''
  return [
    `effect      ${interval} by ${by}${strength}`,
    ...effect.refutations.map(
      (one) => `refutation  ${one.passed ? 'stood' : 'FAILED'} ${one.name}: ${one.remark}`,
    ),
  ]
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`
}

function signed(change: number): string {
  return `${change > 0 ? '+' : ''}${(change * 100).toFixed(1)} %`
}
