import {
  type EffectEstimate,
  estimateEffect,
  fitWithOverlap,
  learnersOf,
} from '../../services/meta-controller/analysis/causal/estimate.ts'
import { calibrationOf, effectOfEach } from '../../services/meta-controller/analysis/causal/heterogeneity.ts'
import { describePolicy, policyOf } from '../../services/meta-controller/analysis/causal/policy-tree.ts'
import { sampleOf } from '../../services/meta-controller/analysis/causal/sample.ts'
import { meanOf } from '../../services/platform/statistics/order.ts'
import { seededRandom } from '../../services/platform/statistics/random.ts'
import { rootMeanSquare } from './measure.ts'
import { MalformedTableError, type Observations, readObservations } from './table.ts'

type Print = (line: string) => void

const seed = 1
/** The full set of learners is for files of up to so many rows; larger ones get the fast one. */
const maxFullRows = 5000

/**
 * The effect in a file of columns t,y,x1…xn[,mu0,mu1][,pre1…][,e][,block], with all that is known against it. Figures: `ate`,
 * `ate_low`, `ate_high` of these rows, `confounder_suspected`; with mu0 and mu1 also `ate_error`, `pehe`, `coverage` (1 or 0).
 * A malformed file gives no figures. Rows that give no estimate give the figure `refused` and the reason in words.
 */
export function runFile(file: string, print: Print): Record<string, number> {
  const observations = readOrSay(file, print)
  if (observations === undefined) return {}
  const effort = observations.outcome.length <= maxFullRows ? 'full' : 'fast'
  const effect = estimateEffect({ ...observations, seed }, { effort })
  if (effect.kind === 'refused') {
    print(`no estimate: ${effect.reason}`)
    return { refused: 1 }
  }
  printEffect(effect, observations, print)
  const pehe = printHeterogeneity(observations, effort, print)
  const { low, high } = effect.ofSample
  const figures = {
    ate: effect.estimate,
    ate_low: low,
    ate_high: high,
    ess: effect.ess,
    e_value: effect.eValue,
    robustness_value: effect.robustnessValue,
    confounder_suspected: Number(effect.confounderSuspected),
  }
  if (observations.effects === undefined) return figures
  const truth = meanOf(observations.effects)
  print(`truth: ${shown(truth)}`)
  const ate_error = Math.abs(effect.estimate - truth)
  return { ...figures, ate_error, pehe, coverage: Number(low <= truth && truth <= high) }
}

/** A malformed file is the caller's mistake: it is told in a line, and the exit code is 2. */
function readOrSay(file: string, print: Print): Observations | undefined {
  try {
    return readObservations(file)
  } catch (error) {
    if (!(error instanceof MalformedTableError)) throw error
    print(`malformed: ${error.message}`)
    process.exitCode = 2
    return undefined
  }
}

const shown = (value: number) => String(Number(value.toPrecision(4)))

function printEffect(
  effect: EffectEstimate,
  { outcome, treatment, controlOutcomes }: Observations,
  print: Print,
): void {
  const { overlap, ofSample } = effect
  const treatedRows = treatment.filter((one) => one === 1).length
  print(`rows: ${outcome.length}, treated: ${treatedRows}`)
  print(`average effect: ${shown(effect.estimate)}`)
  print(`  of these rows, 95 %: ${shown(ofSample.low)} to ${shown(ofSample.high)} (se ${shown(ofSample.se)})`)
  print(`  of rows like these, 95 %: ${shown(effect.low)} to ${shown(effect.high)} (se ${shown(effect.se)})`)
  print(
    `overlap: worth ${Math.round(overlap.effectiveRows)} rows (${Math.round(overlap.effectiveTreated)} treated, ${Math.round(overlap.effectiveUntreated)} not), ${shown(100 * overlap.sureShare)} % nearly sure of their arm, ${effect.trimmed} rows left out`,
  )
  print('refutations:')
  for (const { name, passed, remark } of effect.refutations)
    print(`  ${passed ? 'passed' : 'FAILED'}  ${name}: ${remark}`)
  print(`E-value: ${shown(effect.eValue)}`)
  print(
    `robustness value: ${shown(effect.robustnessValue)} (of the limit: ${shown(effect.robustnessValueOfLimit)})`,
  )
  print(`hidden common cause suspected: ${effect.confounderSuspected ? 'yes' : 'no'}`)
  if (controlOutcomes.length === 0)
    print(
      '  (told from t, y and x alone, which cannot show one; columns pre1… of the outcome before the treatment can)',
    )
}

/** Prints who gains, gives the root of the expected squared error of each row's effect: NaN where the truth is not known. */
function printHeterogeneity(
  observations: Observations,
  effort: keyof typeof learnersOf,
  print: Print,
): number {
  const random = seededRandom(seed)
  const whole = sampleOf({ ...observations, seed })
  if ('kind' in whole) return Number.NaN
  const fitted = fitWithOverlap(whole, learnersOf[effort], random)
  if ('kind' in fitted) return Number.NaN
  const { sample, scores, kept } = fitted
  const each = effectOfEach(sample.x, sample.treated, scores, random)
  const { slope, se, isHeterogeneous } = calibrationOf(scores.scores, each)
  print(
    `effects differ between rows: ${isHeterogeneous ? 'yes' : 'not shown'} (slope ${shown(slope)} ± ${shown(1.96 * se)})`,
  )
  const policy = policyOf(sample.x, sample.treated, scores.scores, random)
  print(`policy, if more of y is better: ${describePolicy(policy.tree, observations.covariateNames)}`)
  print(
    `  worth ${shown(policy.value)} a row (${shown(policy.low)} to ${shown(policy.high)}) on rows held out; treating all: ${shown(policy.valueOfAll)}; gain over the better of all and none: ${shown(policy.gain.value)} (${shown(policy.gain.low)} to ${shown(policy.gain.high)})`,
  )
  const { effects } = observations
  return effects === undefined
    ? Number.NaN
    : rootMeanSquare(each.map((value, place) => value - effects[kept[place]!]!))
}
