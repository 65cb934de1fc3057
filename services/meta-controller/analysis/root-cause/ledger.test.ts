import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceIn, excessesOf } from './excess.ts'
import { ledgerOf } from './ledger.ts'
import { levelsOf } from './level.ts'
import type { Period } from './load.ts'
import { steady } from './mesh.testing.ts'
import { type Question, sceneOf, sliceOf } from './scene.ts'

const question: Question = { target: 'A', mass: 'latency' }

const near = (actual: number | undefined, expected: number) =>
  assert.ok(Math.abs(actual! - expected) < 1e-9, `${actual} is not ${expected}`)

function ledger(usual: Period, now: Period, asked: Question = question) {
  const accounts = ledgerOf(sceneOf(now, asked)!, levelsOf(sceneOf(usual, asked)!, asked)).accounts
  return new Map(accounts.map((account) => [account.service, account]))
}

test('a scene holds what the target reaches, the target first, callers before callees', () => {
  const slots = steady(10, 10, 3)
  const services = ['X', 'C', 'B', 'A'].map((service) => ({ service, slots }))
  const calls = [
    { caller: 'A', service: 'C' },
    { caller: 'A', service: 'B' },
    { caller: 'B', service: 'C' },
    { caller: 'X', service: 'B' },
    { caller: 'B', service: 'B' },
    { caller: 'B', service: 'gone' },
  ]
  const scene = sceneOf({ services, calls }, question)!
  assert.deepEqual(scene.services, ['A', 'C', 'B'])
  assert.deepEqual(
    scene.order.map((place) => scene.services[place]),
    ['A', 'B', 'C'],
  )
  assert.equal(scene.calls.length, 3)
  assert.equal(sceneOf({ services, calls }, { ...question, target: 'nobody' }), undefined)
})

test('a scene lines slots up at their ends, and marks what is missing', () => {
  const period: Period = {
    services: [
      { service: 'A', slots: steady(10, 100, 3) },
      { service: 'B', slots: steady(10, 50, 2) },
    ],
    calls: [{ caller: 'A', service: 'B' }],
  }
  const scene = sceneOf(period, question)!
  assert.deepEqual([...scene.masses[1]!], [Number.NaN, 0.5, 0.5])
  assert.deepEqual([...sliceOf(scene, 1, 2).masses[1]!], [0.5, 0.5])
})

test('a cycle of calls is walked once', () => {
  const slots = steady(10, 10, 20)
  const calls = ['AB', 'BC', 'CA'].map(([caller, service]) => ({ caller: caller!, service: service! }))
  const period = { services: ['A', 'B', 'C'].map((service) => ({ service, slots })), calls }
  const accounts = ledger(period, period)
  assert.deepEqual([...accounts.keys()].sort(), ['A', 'B', 'C'])
})

test('levels are medians with floors: a share of the median, of the target, and the Poisson count of failures', () => {
  const period: Period = {
    services: [
      { service: 'A', slots: steady(100, 10, 20, 4) },
      { service: 'B', slots: steady(100, 0.001, 20) },
      { service: 'idle', slots: steady(0, 0, 20) },
    ],
    calls: [
      { caller: 'A', service: 'B' },
      { caller: 'A', service: 'idle' },
    ],
  }
  const time = levelsOf(sceneOf(period, question)!, question)
  near(time.services.get('A')?.median, 1)
  near(time.services.get('A')?.deviation, 0.03)
  near(time.services.get('B')?.deviation, 0.003)
  assert.equal(time.services.has('idle'), false)
  const errors: Question = { ...question, mass: 'errors' }
  const failures = levelsOf(sceneOf(period, errors)!, errors)
  near(failures.services.get('A')?.deviation, 2)
  near(failures.services.get('B')?.deviation, 1)
})

test('the slots that count are those in which the target is out of the ordinary', () => {
  const now = {
    services: [{ service: 'A', slots: [...steady(100, 10, 3), ...steady(100, 20, 2)] }],
    calls: [],
  }
  const usual = { services: [{ service: 'A', slots: steady(100, 10, 20) }], calls: [] }
  const levels = levelsOf(sceneOf(usual, question)!, question)
  const { slots, services, strangeness } = excessesOf(sceneOf(now, question)!, levels)
  assert.deepEqual(slots, [3, 4])
  near(services[0], 1)
  near(evidenceIn(strangeness[0]!), (2 * (1 / 0.03)) / Math.sqrt(5))
})

test('telemetry of the edges says how much of a shared callee is the target’s', () => {
  const services = (latencyMs: number) => [
    { service: 'A', slots: steady(100, latencyMs + 10, 20) },
    { service: 'X', slots: steady(300, latencyMs + 10, 20) },
    { service: 'B', slots: steady(400, latencyMs, 20) },
  ]
  const calls = (latencyMs: number, isTold: boolean) => [
    { caller: 'A', service: 'B', ...(isTold && { slots: steady(100, latencyMs, 20) }) },
    { caller: 'X', service: 'B', ...(isTold && { slots: steady(300, latencyMs, 20) }) },
  ]
  const period = (latencyMs: number, isTold: boolean) => ({
    services: services(latencyMs),
    calls: calls(latencyMs, isTold),
  })
  const told = ledger(period(10, true), period(20, true))
  near(told.get('B')?.share, 1)
  near(told.get('A')?.share, 0)
  near(told.get('B')?.own, 0.01)
  const guessed = ledger(period(10, false), period(20, false))
  near(guessed.get('B')?.share, 1.2)
})

test('what a caller newly calls is its own doing', () => {
  const usual: Period = {
    services: [
      { service: 'A', slots: steady(100, 20, 20) },
      { service: 'B', slots: steady(100, 10, 20) },
    ],
    calls: [{ caller: 'A', service: 'B' }],
  }
  const now: Period = {
    services: [
      { service: 'A', slots: steady(100, 120, 5) },
      { service: 'B', slots: steady(100, 110, 5) },
      { service: 'new', slots: steady(100, 100, 5) },
    ],
    calls: [...usual.calls, { caller: 'B', service: 'new' }],
  }
  const accounts = ledger(usual, now)
  near(accounts.get('B')?.share, 1)
  assert.equal(accounts.has('new'), false)
})

test('a proxy yields to the service behind it', () => {
  const period = (latencyMs: number): Period => ({
    services: [
      { service: 'A', slots: steady(100, latencyMs, 20) },
      { service: 'B as A sees it', slots: steady(100, latencyMs, 20), isProxy: true },
      { service: 'B', slots: steady(100, latencyMs, 20) },
    ],
    calls: [
      { caller: 'A', service: 'B as A sees it' },
      { caller: 'A', service: 'B' },
    ],
  })
  assert.equal([...ledger(period(10), period(30)).keys()][0], 'B')
})
