import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findProduct, products } from '../src/catalogue.ts'

test('the catalogue is the same at every start', () => {
  assert.equal(products.length, 960)
  assert.deepEqual(findProduct('TEA-0004'), {
    sku: 'TEA-0004',
    name: 'Malawi Loose Leaf Oolong',
    category: 'tea',
    description:
      'Loose Leaf Oolong from Malawi, made in small batches by a family that has done nothing else for three generations. Notes of apricot, chestnut and toasted rice, with gentle tannins. At its best in simple cooking, where little hides it. Store it cool and dry, and use it within a month of opening.',
    listPriceCents: 1330,
  })
})

test('every product has a number of its own and can be found by it', () => {
  assert.equal(new Set(products.map((product) => product.sku)).size, products.length)
  for (const product of products) assert.equal(findProduct(product.sku), product)
  assert.equal(findProduct('TEA-0000'), undefined)
})

test('nobody can change the catalogue', () => {
  assert.ok(Object.isFrozen(products))
  assert.ok(products.every((product) => Object.isFrozen(product)))
})
