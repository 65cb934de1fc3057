import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../../platform/statistics/random.ts'
import { ledgerOf } from './ledger.ts'
import { madePeriod, steady } from './mesh.testing.ts'
import { evidenceOf, learnNormal } from './normal.ts'
import { sceneOf } from './scene.ts'

const question = { target: 'A', mass: 'latency', windowSlots: 5 } as const
const mesh = { A: { ownMs: 10, calls: ['B'] }, B: { ownMs: 20 } }

test('too short a period, or one without the target, teaches nothing', () => {
  const period = (slots: number) => ({
    services: [{ service: 'A', slots: steady(10, 10, slots) }],
    calls: [],
  })
  assert.equal(learnNormal(period(9), question), undefined)
  assert.equal(learnNormal({ services: [], calls: [] }, question), undefined)
  assert.equal(
    learnNormal({ services: [{ service: 'A', slots: steady(0, 0, 100) }], calls: [] }, question),
    undefined,
  )
  assert.ok(learnNormal(period(10), question))
})

test('few windows are no calibration: the threshold is then the cautious one', () => {
  const few = madePeriod(mesh, { random: seededRandom(1), slots: 30, entries: { A: 50 } })
  const many = madePeriod(mesh, { random: seededRandom(1), slots: 300, entries: { A: 50 } })
  assert.equal(learnNormal(few, question)?.threshold, 6)
  const learned = learnNormal(many, question)!
  assert.ok(learned.threshold >= 4 && learned.evidence.length === 296)
})

test('the gate rises with what normal windows show', () => {
  const calm = learnNormal(
    madePeriod(mesh, { random: seededRandom(2), slots: 300, entries: { A: 50 } }),
    question,
  )!
  const stormy = madePeriod(mesh, { random: seededRandom(2), slots: 300, entries: { A: 50 } })
  const slots = stormy.services.map(({ service, slots: loads }) => ({
    service,
    slots: loads.map((load, slot) =>
      slot % 40 < 3 ? { ...load, requestSeconds: load.requestSeconds + 5 } : load,
    ),
  }))
  const taught = learnNormal({ services: slots, calls: stormy.calls }, question)!
  assert.ok(taught.threshold > 1.5 * calm.threshold, `${taught.threshold} against ${calm.threshold}`)
})

test('there is no evidence where the target is as usual', () => {
  const usual = madePeriod(mesh, { random: seededRandom(3), slots: 100, entries: { A: 50 } })
  const { levels } = learnNormal(usual, question)!
  const period = {
    services: usual.services.map((one) => ({ ...one, slots: one.slots.slice(-5) })),
    calls: usual.calls,
  }
  assert.equal(evidenceOf(ledgerOf(sceneOf(period, question)!, levels)), 0)
})
