import { type Obligation, obligationOf, shown, type Values, valueIn } from './obligation.ts'
import type { RolloutPlan } from './plan.ts'
import { all, any, numeral, type Script, sum, type Term, times, Unprovable } from './script.ts'

const maxSteps = 50
const defaultMaxGrowth = 3
const defaultMaxFirstWeightPercent = 25

/** What is to be proven of a rollout before its first request reaches the canary. */
export function rolloutObligations(plan: RolloutPlan): Obligation[] {
  const { maxBudgetShare, maxLateBudgetShare } = plan
  const late = maxLateBudgetShare === undefined ? [] : [burnObligation(plan, 'late', maxLateBudgetShare)]
  return [stepsObligation(plan), burnObligation(plan, 'at once', maxBudgetShare), ...late]
}

/** The weights rise to 100 by a bounded factor each time, and no step is shorter than the judge needs. */
function stepsObligation(plan: RolloutPlan): Obligation {
  const { maxGrowth = defaultMaxGrowth, maxFirstWeightPercent = defaultMaxFirstWeightPercent } = plan
  const name = 'steps of the rollout'
  const statement = `weights rise from at most ${maxFirstWeightPercent} % to 100 %, each at most ${maxGrowth} times the one before, in steps long enough to find a failing canary`
  return obligationOf({ property: 'rollout plan', name, statement }, (script) => {
    const steps = readSteps(plan)
    const growth = numeral(maxGrowth, 'growth')
    const at = script.real('step')
    const faults = steps.map(({ weight, min, detection }, index) => {
      const before = steps[index - 1]?.weight
      const tooLarge =
        before === undefined
          ? `(> ${weight} ${numeral(maxFirstWeightPercent, 'first weight at most')})`
          : `(> ${weight} ${times(growth, before)})`
      const fault = any([
        `(<= ${weight} ${before ?? '0.0'})`,
        `(> ${weight} 100.0)`,
        tooLarge,
        `(< ${min} ${detection})`,
      ])
      return all([`(= ${at} ${index + 1}.0)`, fault])
    })
    const last = steps.at(-1)?.weight ?? '0.0'
    faults.push(all([`(= ${at} ${steps.length + 1}.0)`, `(> 100.0 ${times(growth, last)})`]))
    script.assert(any(faults))
    return (values) => stepInWords(plan, valueIn(values, 'step') - 1)
  })
}

function stepInWords(plan: RolloutPlan, index: number): string {
  const weightOf = (at: number) => (at < 0 ? 0 : (plan.steps[at]?.weightPercent ?? 100))
  const { minSeconds, detectionSeconds = plan.detectionSeconds } = plan.steps[index] ?? {
    minSeconds: Infinity,
  }
  const weights = `goes from ${weightOf(index - 1)} % to ${weightOf(index)} %`
  const name = index < plan.steps.length ? `step ${index + 1}` : 'the promotion'
  if (minSeconds < detectionSeconds) {
    return `${name} ${weights} and lasts ${minSeconds} s, a failing canary is found after ${detectionSeconds} s`
  }
  return `${name} ${weights}`
}

interface Step {
  readonly weight: Term
  readonly min: Term
  readonly max: Term
  readonly detection: Term
}

function readSteps(plan: RolloutPlan): Step[] {
  if (plan.steps.length === 0) throw new Unprovable('the rollout has no steps: give at least one')
  if (plan.steps.length > maxSteps) throw new Unprovable(`the rollout has more than ${maxSteps} steps`)
  return plan.steps.map((step, index) => {
    const {
      weightPercent,
      minSeconds,
      maxSeconds = minSeconds,
      detectionSeconds = plan.detectionSeconds,
    } = step
    if (maxSeconds < minSeconds)
      throw new Unprovable(`step ${index + 1} lasts at least ${minSeconds} s and at most ${maxSeconds} s`)
    return {
      weight: numeral(weightPercent, `weight of step ${index + 1}`),
      min: numeral(minSeconds, `length of step ${index + 1}`),
      max: numeral(maxSeconds, `longest length of step ${index + 1}`),
      detection: numeral(detectionSeconds, `detection in step ${index + 1}`),
    }
  })
}

/**
 * For every share of bad answers, which may change while the canary runs: the bad answers until traffic is back cost at most that
 * share of the error budget. `late`: the canary begins to fail at any moment up to its promotion; a fault that the judge finds only
 * after the weight has gone up burns at the higher weight.
 */
function burnObligation(plan: RolloutPlan, onset: 'at once' | 'late', most: number): Obligation {
  const when = onset === 'late' ? 'begins to fail later' : 'fails from its start'
  const name = `burn of a canary that ${when}`
  const statement = `a canary that ${when} costs at most ${shown(most * 100)} % of the error budget, whatever share of its answers is bad`
  return obligationOf({ property: 'rollout burn', name, statement }, (script) => {
    const burn = encodeBurn(script, plan, onset)
    const allowed = `(* ${numeral(most, 'share of the budget')} ${numeral(plan.sloWindowSeconds, "SLO's window")} ${numeral(plan.allowedBadShare, 'allowed share')})`
    script.assert(`(> ${times(numeral(plan.peakToMean ?? 1, 'peak to mean'), burn)} ${allowed})`)
    return (values) => burnInWords(plan, most, values)
  })
}

/** Seconds of all traffic that are bad: Σ weight × bad seconds of the canary, from the tolerated share before the onset and what comes until the rollback. */
function encodeBurn(script: Script, plan: RolloutPlan, onset: 'at once' | 'late'): Term {
  const steps = readSteps(plan)
  const tolerated = numeral(plan.toleratedBadShare ?? 0, 'tolerated share')
  const start = script.real('seconds until it fails')
  if (onset === 'at once') script.assert(`(= ${start} 0.0)`)
  const lengths = steps.map(({ min, max }, index) => {
    const length = script.real(`seconds of step ${index + 1}`, max)
    script.assert(`(>= ${length} ${min})`)
    return length
  })
  const begins = (index: number) => sum(lengths.slice(0, index))
  // After the last step comes 100 %, and the watch over it.
  const weights = [...steps.map(({ weight }) => weight), '100.0']
  const window = script.real('seconds until traffic is back')
  const bad = weights.map((_, index) => encodeBadSeconds(script, { index, begins, lengths, start, window }))
  const early = script.real('bad seconds before')
  const cases = steps.map(({ detection }, index) =>
    all([
      `(>= ${start} ${begins(index)})`,
      `(<= ${start} ${begins(index + 1)})`,
      `(<= ${window} (+ ${detection} ${numeral(plan.rollbackSeconds, 'rollback')}))`,
      `(<= ${early} ${times(tolerated, earlier(index, { weights, lengths, begins, start }))})`,
    ]),
  )
  script.assert(any(cases))
  const burn = script.real('bad seconds of all traffic')
  script.assert(
    `(= ${burn} (+ ${early} ${sum(weights.map((weight, index) => times(share(weight), bad[index] as Term)))}))`,
  )
  return burn
}

function share(weightPercent: Term): Term {
  return `(/ ${weightPercent} 100.0)`
}

interface Timeline {
  readonly weights: readonly Term[]
  readonly lengths: readonly Term[]
  readonly begins: (index: number) => Term
  readonly start: Term
}

/** Seconds of all traffic that the canary has had before a start in that step. */
function earlier(index: number, { weights, lengths, begins, start }: Timeline): Term {
  const whole = lengths.slice(0, index).map((length, at) => times(share(weights[at] as Term), length))
  return sum([...whole, times(share(weights[index] as Term), `(- ${start} ${begins(index)})`)])
}

/** Bad seconds within one step: at most the overlap of the step with the time from the start to the rollback. */
function encodeBadSeconds(
  script: Script,
  at: Omit<Timeline, 'weights'> & { readonly index: number; readonly window: Term },
): Term {
  const { index, begins, lengths, start, window } = at
  const overlap = script.real(`seconds failing at step ${index + 1}`, window)
  const stop = `(+ ${start} ${window})`
  const within = [`(<= ${overlap} (- ${stop} ${begins(index)}))`]
  const length = lengths[index]
  if (length !== undefined)
    within.push(`(<= ${overlap} ${length})`, `(<= ${overlap} (- ${begins(index + 1)} ${start}))`)
  script.assert(any([`(= ${overlap} 0.0)`, all(within)]))
  return script.real(`bad seconds at step ${index + 1}`, overlap)
}

function burnInWords(plan: RolloutPlan, most: number, values: Values): string {
  const bad = valueIn(values, 'bad seconds of all traffic') * (plan.peakToMean ?? 1)
  const budget = plan.sloWindowSeconds * plan.allowedBadShare
  const start = shown(valueIn(values, 'seconds until it fails'))
  const back = shown(valueIn(values, 'seconds until traffic is back'))
  const percent = budget > 0 ? `${shown((bad / budget) * 100)} %` : 'more than all'
  return `a canary that fails from second ${start} on, with traffic back ${back} s later, makes ${shown(bad)} s of all traffic bad: ${percent} of the error budget of ${shown(budget)} s, at most ${shown(most * 100)} % may go`
}
