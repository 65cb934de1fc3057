import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalVariate, seededRandom } from '../../../platform/statistics/random.ts'
import { effectOfSwitchback, planSwitchback } from './switchback.ts'

function planned(design: Parameters<typeof planSwitchback>[0]) {
  const plan = planSwitchback(design)
  assert.ok(plan.kind === 'plan')
  return plan
}

test('each pair of blocks has one that is treated and one that is not, by lot', () => {
  let firstTreated = 0
  for (let seed = 1; seed <= 200; seed++) {
    const { slots } = planned({ slots: 40, blockSlots: 5, seed })
    const ofBlock = (block: number) => slots.filter((slot) => slot.block === block && slot.isTreated).length
    for (let block = 0; block < 8; block += 2) assert.equal(ofBlock(block) + ofBlock(block + 1), 5)
    for (let block = 0; block < 8; block++) assert.ok([0, 5].includes(ofBlock(block)))
    if (slots[0]!.isTreated) firstTreated++
  }
  assert.ok(firstTreated > 70 && firstTreated < 130, `${firstTreated} of 200`)
})

test('the same seed gives the same plan, and washout slots are not measured', () => {
  const design = { slots: 12, blockSlots: 4, washout: 1, seed: 5 }
  assert.deepEqual(planSwitchback(design), planSwitchback(design))
  assert.deepEqual(
    planned(design).slots.flatMap(({ slot, isMeasured }) => (isMeasured ? [] : [slot])),
    [0, 4, 8],
  )
})

test('a design that cannot be drawn is refused with the reason', () => {
  const base = { slots: 12, blockSlots: 4, seed: 1 }
  const reason = (design: Partial<typeof base> & { washout?: number }) => {
    const plan = planSwitchback({ ...base, ...design })
    return plan.kind === 'refused' ? plan.reason : 'not refused'
  }
  assert.match(reason({ slots: 0 }), /^slots is 0/)
  assert.match(reason({ slots: Number.NaN }), /^slots is NaN/)
  assert.match(reason({ blockSlots: 1.5 }), /^blockSlots/)
  assert.match(reason({ washout: 4 }), /^washout is 4/)
  assert.match(reason({ slots: 4 }), /one block of 4/)
})

/** Latency per slot with a daily wave, drift, noise that lasts over slots, and an effect of −3 that takes one slot to build up. */
function outcomesOf(plan: ReturnType<typeof planned>, seed: number) {
  const random = seededRandom(seed)
  let lasting = 0
  let felt = 0
  return plan.slots.map(({ slot, isTreated }) => {
    lasting = 0.5 * lasting + normalVariate(random)
    felt = 0.5 * felt + 0.5 * Number(isTreated)
    const settled = slot % 6 < 2 ? felt : Number(isTreated)
    const load = Math.sin(slot / 20) + 0.3 * normalVariate(random)
    return { slot, outcome: 40 - 3 * settled + 2 * load + slot / 200 + lasting, covariates: [load] }
  })
}

test('slots switched by plan tell the effect, in spite of waves and drift', () => {
  const found = Array.from({ length: 10 }, (_, index) => {
    const plan = planned({ slots: 360, blockSlots: 6, washout: 2, seed: index + 1 })
    const effect = effectOfSwitchback(plan, outcomesOf(plan, 50 + index), 1)
    assert.ok(effect.kind === 'effect')
    assert.equal(effect.confounderSuspected, false)
    return effect
  })
  assert.ok(found.filter(({ low, high }) => low <= -3 && -3 <= high).length >= 8)
  assert.ok(found.every(({ high }) => high < 0))
})

test('slots that were not planned, or too few, are refused', () => {
  const plan = planned({ slots: 100, blockSlots: 2, seed: 1 })
  const stranger = effectOfSwitchback(plan, [{ slot: 100, outcome: 1, covariates: [] }], 1)
  assert.ok(stranger.kind === 'refused' && /slot 100 is not in the plan/.test(stranger.reason))
  const none = effectOfSwitchback(plan, [], 1)
  assert.ok(none.kind === 'refused' && /0 rows are too few/.test(none.reason))
  const refused = planSwitchback({ slots: 1, blockSlots: 1, seed: 1 })
  assert.deepEqual(effectOfSwitchback(refused, [], 1), refused)
})
