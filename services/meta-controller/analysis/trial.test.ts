import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalVariate, type Random, seededRandom } from '../../platform/statistics/random.ts'
import { effectOfCanary, effectOfRounds, type SlicedComparison } from './trial.ts'

/** A benchmark of three operations; each run of it differs from the others by about `runNoise`. */
function benchmark(random: Random, change: number, rounds = 3, runNoise = 0.03): SlicedComparison[] {
  const firsts = Array.from({ length: rounds }, () => random() < 0.5)
  const speeds = new Map<string, number>()
  const speedOf = (run: string) =>
    speeds.get(run) ?? speeds.set(run, Math.exp(runNoise * normalVariate(random))).get(run)!
  return ['Get', 'List', 'Quote'].map((operation, index) => {
    const meanMs = index + 1
    const slices = firsts.flatMap((changedFirst, round) =>
      [changedFirst, !changedFirst].flatMap((changed) =>
        Array.from({ length: 10 }, (_, place) => ({
          round,
          changed,
          first: changed === changedFirst,
          place,
          samples: 10,
          meanMs:
            meanMs *
            (changed ? 1 + change : 1) *
            speedOf(`${round} ${changed}`) *
            Math.exp(0.05 * normalVariate(random)),
        })),
      ),
    )
    const samples = 100 * rounds
    return {
      operation,
      slices,
      samplesBefore: samples,
      samplesAfter: samples,
      meanBeforeMs: meanMs,
      meanAfterMs: meanMs * (1 + change),
      relativeLow: change - 0.1,
      relativeHigh: change + 0.1,
    }
  })
}

test('a benchmark that takes 40 % less is found, by AIPW over its rounds, and stands its refutations', () => {
  const effect = effectOfRounds(benchmark(seededRandom(1), -0.4), 7)
  assert.equal(effect.method, 'aipw')
  assert.equal(effect.origin, 'benchmark')
  assert.ok(Math.abs(effect.estimate - -0.4) < 0.06, `${effect.estimate}`)
  assert.ok(effect.low < -0.4 && effect.high < -0.2)
  assert.deepEqual(
    effect.refutations?.filter((one) => !one.passed),
    [],
  )
  assert.ok((effect.robustnessValue ?? 0) > 0.5)
  assert.ok((effect.eValue ?? 0) > 2)
})

test('the interval of a change that does nothing holds zero nineteen times in twenty', () => {
  const random = seededRandom(20_261_122)
  const trials = 60
  let held = 0
  for (let trial = 0; trial < trials; trial++) {
    const { low, high } = effectOfRounds(benchmark(random, 0, 4), trial)
    if (low <= 0 && high >= 0) held++
  }
  assert.ok(held >= 0.88 * trials, `${held} of ${trials}`)
})

test('a benchmark with too few slices keeps the ratio of its means; without one nothing is known', () => {
  const few = benchmark(seededRandom(2), -0.4, 1)
  const effect = effectOfRounds(few, 7)
  assert.equal(effect.method, 'ratio')
  assert.ok(Math.abs(effect.estimate - -0.4) < 1e-9)
  assert.equal(effectOfRounds([], 7).origin, 'none')
})

function compared(random: Random, slots: number, ratio: number) {
  return Array.from({ length: slots }, (_, index) => {
    const stable = 40 * Math.exp(0.2 * normalVariate(random))
    const canary = 40 * ratio * Math.exp(0.2 * normalVariate(random))
    return { startSeconds: index, weightPercent: index < 10 ? 20 : 50, stable, canary }
  })
}

test('a canary’s slots give its effect relative to stable', () => {
  const effect = effectOfCanary(compared(seededRandom(3), 40, 0.2), 7)
  assert.ok(effect !== undefined && effect.origin === 'experience')
  assert.ok(Math.abs(effect.estimate - -0.8) < 0.08, `${effect.estimate}`)
  assert.ok(effect.low < -0.8 && effect.high > -0.85 && effect.high < -0.6)
})

test('slots without both versions, too few of them, or a stable without values give no effect', () => {
  const slots = compared(seededRandom(4), 40, 0.2)
  const alone = slots.map((slot) => ({ ...slot, canary: undefined }))
  assert.equal(effectOfCanary(alone, 7), undefined)
  const watched = slots.map((slot) => ({ ...slot, weightPercent: 100 }))
  assert.equal(effectOfCanary(watched, 7), undefined)
  assert.equal(effectOfCanary(slots.slice(0, 20), 7), undefined)
  const noErrors = slots.map((slot) => ({ ...slot, stable: 0 }))
  assert.equal(effectOfCanary(noErrors, 7), undefined)
})
