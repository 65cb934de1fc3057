import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findProduct } from '../src/catalogue.ts'
import { currentPriceCents, linePriceCents, priceCentsAt } from '../src/prices.ts'

const tea = findProduct('TEA-0001')!
const cheese = findProduct('CHE-0001')!
const sunday = Date.UTC(2025, 5, 1, 12)
const monday = Date.UTC(2025, 5, 2, 12)

test('tea is a tenth cheaper on Sundays', () => {
  assert.equal(priceCentsAt(tea, monday), tea.listPriceCents)
  assert.equal(priceCentsAt(tea, sunday), Math.round(tea.listPriceCents * 0.9))
})

test('cheese is never on sale', () => {
  for (let day = 0; day < 7; day++) {
    assert.equal(priceCentsAt(cheese, sunday + day * 86_400_000), cheese.listPriceCents)
  }
})

test('the current price follows the clock', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: monday })
  const mondayPrice = currentPriceCents(tea)
  t.mock.timers.setTime(sunday + 7 * 86_400_000)
  assert.ok(currentPriceCents(tea) < mondayPrice)
})

test('a line gets cheaper from 6, 12 and 50 pieces', () => {
  const discounts = [1, 5, 6, 11, 12, 49, 50, 999].map((quantity) => linePriceCents(100, quantity) / quantity)
  assert.deepEqual(
    discounts.map((cents) => Math.round(cents)),
    [100, 100, 97, 97, 93, 93, 88, 88],
  )
})
