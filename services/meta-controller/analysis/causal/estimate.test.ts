import assert from 'node:assert/strict'
import { test } from 'node:test'
import { meanOf } from '../../../platform/statistics/order.ts'
import { exponentialVariate, normalVariate, seededRandom } from '../../../platform/statistics/random.ts'
import { assignment, chiSquareTail, controlOutcomes, unobservedCause } from './confounding.ts'
import { type EffectEstimate, estimateEffect, fitWithOverlap, intervalsOf, learnersOf } from './estimate.ts'
import { matrixOf } from './matrix.ts'
import { type Refutation, resample } from './resample.ts'
import { type EffectInput, part, refuse, sampleOf } from './sample.ts'

interface Made {
  readonly rows?: number
  readonly effect?: number
  /** How strongly a variable outside the covariates moves treatment and outcome. */
  readonly hidden?: number
  readonly seed: number
}

/** y = effect · t + x1 + hidden · u + noise, with u in the outcome before as well. */
function make({ rows = 200, effect = 2, hidden = 0, seed }: Made): EffectInput {
  const random = seededRandom(seed)
  const covariates = Array.from({ length: rows }, () => [normalVariate(random), random() < 0.5 ? 1 : 0])
  const u = covariates.map(() => normalVariate(random))
  const treatment = covariates.map((x, row) =>
    Number(random() < 1 / (1 + Math.exp(-0.7 * x[0]! - hidden * u[row]!))),
  )
  const before = covariates.map((x, row) => x[0]! + hidden * u[row]! + normalVariate(random))
  const outcome = covariates.map(
    (x, row) => effect * treatment[row]! + x[0]! + hidden * u[row]! + normalVariate(random),
  )
  return { treatment, outcome, covariates, controlOutcomes: [before], seed }
}

function estimated(input: EffectInput): EffectEstimate {
  const effect = estimateEffect(input)
  assert.equal(effect.kind, 'effect')
  return effect as EffectEstimate
}

const reasonOf = (input: EffectInput) => {
  const effect = estimateEffect(input)
  return effect.kind === 'refused' ? effect.reason : 'not refused'
}

test('an effect of 2 is found, with an interval of about 0.3 to each side', () => {
  const effect = estimated(make({ seed: 1 }))
  assert.ok(Math.abs(effect.estimate - 2) < 0.5)
  assert.ok(effect.low < 2 && effect.high > 2)
  assert.ok(effect.high - effect.low > 0.4 && effect.high - effect.low < 1)
  assert.ok(effect.ess > 100 && effect.ess <= 200)
  assert.ok(effect.eValue > 3 && effect.robustnessValue > effect.robustnessValueOfLimit)
  assert.equal(effect.confounderSuspected, false)
})

test('the same rows and seed give the same answer', () => {
  assert.deepEqual(estimateEffect(make({ seed: 3 })), estimateEffect(make({ seed: 3 })))
})

test('intervals hold the truth in about 95 of 100 samples, those for the sample alone too', () => {
  const covered = { population: 0, ofSample: 0 }
  const samples = 100
  for (let seed = 1; seed <= samples; seed++) {
    const whole = sampleOf(make({ seed, rows: 200 }))
    assert.ok(!('kind' in whole))
    const fitted = fitWithOverlap(whole, learnersOf.fast, seededRandom(seed))
    assert.ok(!('kind' in fitted))
    const intervals = intervalsOf(fitted)
    for (const kind of ['population', 'ofSample'] as const)
      if (intervals[kind].low <= 2 && 2 <= intervals[kind].high) covered[kind]++
  }
  assert.ok(covered.population >= 0.88 * samples, `${covered.population}`)
  assert.ok(covered.ofSample >= 0.88 * samples, `${covered.ofSample}`)
})

test('an outcome in other units gives the effect in those units', () => {
  const input = make({ seed: 4 })
  const base = estimated(input)
  const other = estimated({ ...input, outcome: Array.from(input.outcome, (value) => -1000 * value + 5000) })
  assert.ok(Math.abs(other.estimate / -1000 - base.estimate) < 0.15)
  assert.ok(Math.abs(other.se / 1000 - base.se) < 0.1)
})

test('arms that change names give the effect with the other sign', () => {
  const input = make({ seed: 5 })
  const swapped = estimated({ ...input, treatment: Array.from(input.treatment, (one) => 1 - Number(one)) })
  assert.ok(Math.abs(swapped.estimate + estimated(input).estimate) < 0.15)
})

test('a hidden common cause is told by the outcome before the treatment', () => {
  const suspected = (hidden: number) =>
    Array.from({ length: 40 }, (_, index) =>
      estimateEffect(make({ seed: 200 + index, rows: 300, hidden }), { refits: 0 }),
    ).filter((effect) => effect.kind === 'effect' && effect.confounderSuspected).length
  assert.ok(suspected(1.5) >= 38)
  assert.ok(suspected(0) <= 3)
})

test('without such outcomes, an effect that a cause like the strongest covariate explains is suspected', () => {
  const random = seededRandom(6)
  const covariates = Array.from({ length: 1000 }, () => [normalVariate(random)])
  const treatment = covariates.map((x) => Number(random() < 1 / (1 + Math.exp(-2 * x[0]!))))
  const outcome = covariates.map((x, row) => 0.4 * treatment[row]! + 3 * x[0]! + normalVariate(random))
  const weak = estimated({ treatment, outcome, covariates, seed: 1 })
  assert.equal(weak.confounderSuspected, true)
  assert.match(weak.refutations.at(-1)!.remark, /covariate 1/)
  const strong = estimated({ ...make({ seed: 7, effect: 4 }), controlOutcomes: undefined })
  assert.equal(strong.confounderSuspected, false)
})

test('no effect at all is told as an interval that has 0, and is no suspicion', () => {
  const effect = estimated({ ...make({ seed: 8, effect: 0 }), controlOutcomes: undefined })
  assert.ok(effect.low < 0 && effect.high > 0)
  assert.equal(effect.confounderSuspected, false)
  assert.equal(effect.robustnessValueOfLimit, 0)
})

test('a known propensity is used, and an assignment that does not follow it is told', () => {
  const input = make({ seed: 9, rows: 400 })
  const random = seededRandom(10)
  const treatment = input.covariates.map(() => Number(random() < 0.2))
  const outcome = input.covariates.map((x, row) => 2 * treatment[row]! + x[0]! + normalVariate(random))
  const drawn = { treatment, outcome, covariates: input.covariates, seed: 1 }
  const right = estimated({ ...drawn, propensity: treatment.map(() => 0.2) })
  assert.ok(right.low < 2 && right.high > 2)
  assert.equal(right.confounderSuspected, false)
  const wrong = estimated({ ...drawn, propensity: treatment.map(() => 0.35) })
  assert.equal(wrong.confounderSuspected, true)
  const picked = estimated({
    ...input,
    controlOutcomes: undefined,
    propensity: input.covariates.map(() => 0.5),
  })
  assert.equal(picked.refutations.find((one) => one.name === 'assignment as drawn')?.passed, false)
})

test('rows of one block count as one: the interval is wider when blocks share their noise', () => {
  const random = seededRandom(11)
  const blocks = Array.from({ length: 400 }, (_, row) => Math.floor(row / 10))
  const shared = Array.from({ length: 40 }, () => 2 * normalVariate(random))
  const ofBlock = Array.from({ length: 40 }, () => Number(random() < 0.5))
  const treatment = blocks.map((block) => ofBlock[block]!)
  const outcome = blocks.map((block, row) => treatment[row]! + shared[block]! + normalVariate(random))
  const rows = {
    treatment,
    outcome,
    covariates: blocks.map(() => []),
    propensity: blocks.map(() => 0.5),
    seed: 1,
  }
  const alone = estimated(rows)
  const together = estimated({ ...rows, blocks })
  assert.ok(together.se > 2 * alone.se)
  assert.ok(together.low < 1 && together.high > 1)
  assert.equal(together.confounderSuspected, false)
})

test('rows that follow each other in time count for less', () => {
  const random = seededRandom(18)
  let lasting = 0
  const rows = Array.from({ length: 600 }, (_, row) => {
    lasting = 0.7 * lasting + normalVariate(random)
    const treatment = Math.floor(row / 6) % 2
    return { treatment, outcome: treatment + lasting, covariates: [] }
  })
  const input = {
    treatment: rows.map((row) => row.treatment),
    outcome: rows.map((row) => row.outcome),
    covariates: rows.map((row) => row.covariates),
    seed: 1,
  }
  const lagged = estimated({ ...input, lags: 8 })
  assert.ok(lagged.se > 1.2 * estimated(input).se)
  assert.ok(lagged.low < 1 && lagged.high > 1)
  assert.match(reasonOf({ ...input, lags: -1 }), /^lags is -1/)
})

test('too few blocks, or an arm in one stretch of time only, are refused', () => {
  const input = make({ seed: 19 })
  const blocks = (count: number) => input.covariates.map((_, row) => Math.floor((row * count) / 200))
  assert.match(reasonOf({ ...input, blocks: blocks(2) }), /^the rows are 2 blocks/)
  const early = input.covariates.map((_, row) => row < 30)
  assert.match(reasonOf({ ...input, blocks: blocks(20), treatment: early }), /single stretch of time/)
})

test('where the arms overlap too little, the effect is told for the rows that do, or not at all', () => {
  const random = seededRandom(12)
  const covariates = Array.from({ length: 1500 }, () => [normalVariate(random)])
  const drawn = (slope: number) => {
    const treatment = covariates.map((x) => Number(random() < 1 / (1 + Math.exp(-slope * x[0]!))))
    const outcome = covariates.map((x, row) => 2 * treatment[row]! + x[0]! + normalVariate(random))
    return { treatment, outcome, covariates, seed: 1 }
  }
  const some = estimated(drawn(4))
  assert.ok(some.trimmed > 100)
  assert.ok(Math.abs(some.estimate - 2) < 0.6)
  assert.match(reasonOf(drawn(1000)), /worth only|nearly sure/)
})

test('rows that cannot be computed with are refused with the reason', () => {
  const input = make({ seed: 13 })
  const { treatment, outcome, covariates } = input
  const changed = (values: ArrayLike<number>, row: number, value: number) =>
    Array.from(values, (one, index) => (index === row ? value : one))
  const cases: [RegExp, Partial<EffectInput>][] = [
    [/^0 rows are too few/, { treatment: [], outcome: [], covariates: [], controlOutcomes: [] }],
    [/^1 rows are too few/, { treatment: [1], outcome: [1], covariates: [[1]], controlOutcomes: [] }],
    [/^all rows were treated/, { treatment: Array(200).fill(1) }],
    [/^no row was treated/, { treatment: Array(200).fill(0) }],
    [/^3 of 200 rows were treated/, { treatment: Array.from({ length: 200 }, (_, row) => row < 3) }],
    [/^the outcome is the same in all rows/, { outcome: Array(200).fill(7) }],
    [/^row 18: the outcome is not/, { outcome: changed(outcome, 17, Number.NaN) }],
    [/^row 1: the outcome is not/, { outcome: changed(outcome, 0, Number.POSITIVE_INFINITY) }],
    [
      /^row 5: covariate 2 is not/,
      { covariates: covariates.map((x, row) => (row === 4 ? [0, Number.NaN] : x)) },
    ],
    [
      /^row 5 has 1 covariates, the first has 2/,
      { covariates: covariates.map((x, row) => (row === 4 ? [0] : x)) },
    ],
    [/^row 2: the treatment is neither/, { treatment: changed(treatment as number[], 1, 2) }],
    [/^row 3: the propensity/, { propensity: changed(Array(200).fill(0.5), 2, 1) }],
    [/^row 3: the block/, { blocks: changed(Array(200).fill(1), 2, Number.NaN) }],
    [/^row 4: a control outcome/, { controlOutcomes: [changed(outcome, 3, Number.NaN)] }],
    [/^lists differ in length: 199/, { treatment: Array.from(treatment).slice(1) as number[] }],
  ]
  for (const [reason, part] of cases) assert.match(reasonOf({ ...input, ...part }), reason)
  assert.deepEqual(refuse('x'), { kind: 'refused', reason: 'x' })
})

test('covariates that never change, or none, leave the difference of the arms', () => {
  const random = seededRandom(14)
  const treatment = Array.from({ length: 300 }, () => random() < 0.5)
  const outcome = treatment.map((one) => Number(one) + normalVariate(random))
  const constant = estimated({ treatment, outcome, covariates: treatment.map(() => [3, 0]), seed: 1 })
  const none = estimated({ treatment, outcome, covariates: treatment.map(() => []), seed: 1 })
  const mean = (arm: boolean) => meanOf(outcome.filter((_, row) => treatment[row] === arm))
  for (const effect of [constant, none])
    assert.ok(Math.abs(effect.estimate - (mean(true) - mean(false))) < 0.05)
})

test('values of any size give finite numbers, for twenty random samples', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed)
    const size = 10 ** (12 * random() - 6)
    const input = make({ seed, rows: 60 + seed, effect: 0 })
    const outcome = Array.from(
      input.outcome,
      (value) => size * value + (seed % 2) * size * exponentialVariate(random, 9),
    )
    const effect = estimateEffect({ ...input, outcome }, { refits: 3 })
    if (effect.kind === 'refused') continue
    const { estimate, low, high, se, ess, eValue, robustnessValue } = effect
    for (const value of [estimate, low, high, se, ess, eValue, robustnessValue])
      assert.ok(Number.isFinite(value), `seed ${seed}`)
    assert.ok(low <= estimate && estimate <= high && se >= 0)
    assert.ok(robustnessValue >= 0 && robustnessValue <= 1)
  }
})

test('an outcome that the treatment fixes exactly has an effect without error', () => {
  const input = make({ seed: 15 })
  const effect = estimated({ ...input, outcome: Array.from(input.treatment, (one) => 3 * Number(one)) })
  assert.ok(Math.abs(effect.estimate - 3) < 1e-6 && effect.se < 1e-6)
  assert.ok(effect.robustnessValue > 0.999)
})

test('a hundred thousand rows are computed with', () => {
  const effect = estimateEffect(
    { ...make({ seed: 16, rows: 100_000 }), controlOutcomes: undefined },
    { refits: 2 },
  )
  assert.ok(effect.kind === 'effect' && Math.abs(effect.estimate - 2) < 0.05)
})

test('refutations of rows without a fault pass in nearly all samples', () => {
  const failed = new Map<string, number>()
  for (let seed = 1; seed <= 20; seed++) {
    const sample = sampleOf(make({ seed, rows: 200 }))
    assert.ok(!('kind' in sample))
    for (const { name, passed } of resample(sample, 20, seededRandom(seed)))
      failed.set(name, (failed.get(name) ?? 0) + Number(!passed))
  }
  assert.deepEqual(
    [...failed.keys()],
    ['placebo treatment', 'random common cause', 'subset', 'bootstrap', 'dummy outcome'],
  )
  for (const [name, count] of failed) assert.ok(count <= 2, `${name} failed in ${count} of 20`)
})

test('each check of confounding can fail, and says by how much', () => {
  const sample = sampleOf(make({ seed: 17, rows: 400 }))
  assert.ok(!('kind' in sample))
  const propensity = sample.treated.map(() => 0.5)
  const failing: Refutation[] = [
    assignment(sample, propensity),
    controlOutcomes(sample, propensity, [sample.treated.map((t, row) => t + (row % 7))], seededRandom(1)),
    unobservedCause({ low: 0.1, high: 0.3, se: 0.05 }, { scale: 2 }, [
      { column: 4, ofOutcome: 0.3, ofTreatment: 0.3 },
    ]),
  ]
  for (const one of failing) assert.equal(one.passed, false, one.name)
  assert.match(failing[2]!.remark, /covariate 5/)
  assert.ok(Math.abs(chiSquareTail(3.84, 1) - 0.05) < 0.005)
  assert.ok(Math.abs(chiSquareTail(18.3, 10) - 0.05) < 0.002)
})

test('a part of a sample has the rows asked for', () => {
  const sample = {
    x: matrixOf([[1], [2], [3]]),
    treated: Float64Array.of(0, 1, 0),
    y: Float64Array.of(4, 5, 6),
  }
  const { x, y } = part(sample, [2, 1])
  assert.deepEqual(
    [[...x.data], [...y]],
    [
      [3, 2],
      [6, 5],
    ],
  )
})
