import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mostViewed, recordView, type Similar, similarProducts } from '../src/recommendations.ts'

/** As the release that first had recommendations gave them. */
const known: Record<string, string[]> = {
  'TEA-0004': ['TEA-0061 0.6803', 'TEA-0071 0.5860', 'TEA-0084 0.5664', 'TEA-0097 0.5525'],
  'COF-0042': ['COF-0117 0.6242', 'COF-0085 0.6234', 'COF-0062 0.6013', 'COF-0005 0.5793'],
  'SPI-0100': ['SPI-0079 0.7608', 'SPI-0023 0.6141', 'SPI-0005 0.5654', 'SPI-0058 0.5349'],
}

for (const [sku, expected] of Object.entries(known)) {
  test(`what is most like ${sku} stays what it was`, () => {
    assert.deepEqual(similarProducts(sku, 4).map(print), expected)
  })
}

test('asking again gives the same answer', () => {
  const first = structuredClone(similarProducts('COF-0042', 6))
  similarProducts('COF-0043', 6)
  assert.deepEqual(similarProducts('COF-0042', 6), first)
})

test('a longer list begins with the shorter one, in whatever order they are asked for', () => {
  const skus = ['HON-0001', 'HON-0011', 'HON-0001', 'HON-0011']
  const limits = [1, 11, 11, 1]
  const longest = new Map(['HON-0001', 'HON-0011'].map((sku) => [sku, similarProducts(sku, 20)]))
  for (const [index, sku] of skus.entries()) {
    const limit = limits[index]!
    assert.deepEqual(similarProducts(sku, limit), longest.get(sku)!.slice(0, limit))
  }
})

test('likeness is from 0 to 1, falls along the list, and a product is not listed for itself', () => {
  const similar = similarProducts('CHE-0007', 20)
  assert.equal(similar.length, 20)
  assert.ok(!similar.some(({ sku }) => sku === 'CHE-0007'))
  for (const [index, { score }] of similar.entries()) {
    assert.ok(score > 0 && score < 1)
    assert.ok(score <= (similar[index - 1]?.score ?? 1))
  }
})

test('a product that the catalogue does not have is like no other', () => {
  assert.deepEqual(similarProducts('TEA-9999', 6), [])
})

test('views are counted, and the most viewed come first', () => {
  assert.equal(recordView('OIL-0002'), 1)
  assert.equal(recordView('TEA-0001'), 1)
  assert.equal(recordView('TEA-0001'), 2)
  assert.equal(recordView('OIL-0001'), 1)
  assert.deepEqual(mostViewed(2), ['TEA-0001', 'OIL-0001'])
  assert.deepEqual(mostViewed(9), ['TEA-0001', 'OIL-0001', 'OIL-0002'])
})

function print({ sku, score }: Similar): string {
  return `${sku} ${score.toFixed(4)}`
}
