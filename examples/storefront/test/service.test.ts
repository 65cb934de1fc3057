import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { status } from '@grpc/grpc-js'
import { onHandOf } from '../load/supplier.ts'
import { findProduct, products } from '../src/catalogue.ts'
import type {
  CheckStockResponse,
  GetProductResponse,
  GetQuoteResponse,
  RecommendResponse,
} from '../src/contract.ts'
import { linePriceCents } from '../src/prices.ts'
import { similarProducts } from '../src/recommendations.ts'
import { openShop, promptSupplier } from './shop.ts'

let supplier: typeof fetch = promptSupplier
const shop = await openShop((...question) => supplier(...question))
after(() => shop.close())

const asked = (lines: [string, number][]) => ({ lines: lines.map(([sku, quantity]) => ({ sku, quantity })) })
const manyLines = (count: number) => asked(products.slice(0, count).map(({ sku }) => [sku, 1]))

test('a product comes with its description, a price and one more view each time', async () => {
  const first = await shop.call<GetProductResponse>('GetProduct', { sku: 'TEA-0004' })
  const { listPriceCents, ...texts } = findProduct('TEA-0004')!
  const { priceCents, views, ...sentTexts } = first
  assert.deepEqual(sentTexts, texts)
  assert.ok([listPriceCents, Math.round(listPriceCents * 0.9)].includes(priceCents))
  assert.equal(views, 1)
  const second = await shop.call<GetProductResponse>('GetProduct', { sku: 'TEA-0004' })
  assert.equal(second.views, 2)
})

test('a quote adds up its lines, discounts taken off', async () => {
  const quote = await shop.call<GetQuoteResponse>(
    'GetQuote',
    asked([
      ['CHE-0001', 2],
      ['CHE-0002', 12],
    ]),
  )
  const [first, second] = ['CHE-0001', 'CHE-0002'].map((sku) => findProduct(sku)!.listPriceCents)
  assert.deepEqual(
    quote.lines.map((line) => [line.sku, line.quantity, line.unitPriceCents, line.linePriceCents]),
    [
      ['CHE-0001', 2, first, 2 * first!],
      ['CHE-0002', 12, second, linePriceCents(second!, 12)],
    ],
  )
  assert.equal(quote.totalCents, 2 * first! + linePriceCents(second!, 12))
})

test('recommendations are the similar products with their names, the same at each call', async () => {
  const expected = similarProducts('PAS-0010', 6).map(({ sku, score }) => ({
    sku,
    name: findProduct(sku)!.name,
    score,
  }))
  for (let call = 0; call < 3; call++) {
    const reply = await shop.call<RecommendResponse>('Recommend', { sku: 'PAS-0010' })
    assert.deepEqual(reply.recommendations, expected)
  }
  const three = await shop.call<RecommendResponse>('Recommend', { sku: 'PAS-0010', limit: 3 })
  assert.deepEqual(three.recommendations, expected.slice(0, 3))
})

test('without a product, the most viewed are recommended', async () => {
  for (let view = 0; view < 4; view++) await shop.call('GetProduct', { sku: 'OIL-0003' })
  const reply = await shop.call<RecommendResponse>('Recommend', { limit: 1 })
  assert.deepEqual(reply.recommendations, [
    { sku: 'OIL-0003', name: findProduct('OIL-0003')!.name, score: 0 },
  ])
})

test('stock is told per line, in the order of the basket', async () => {
  const onHand = onHandOf('COF-0005')
  const basket = asked([
    ['COF-0005', onHand],
    ['HON-0001', 1],
    ['COF-0005', onHand + 1],
  ])
  const reply = await shop.call<CheckStockResponse>('CheckStock', basket)
  assert.deepEqual(reply.lines, [
    { sku: 'COF-0005', onHand, available: true },
    { sku: 'HON-0001', onHand: onHandOf('HON-0001'), available: onHandOf('HON-0001') >= 1 },
    { sku: 'COF-0005', onHand, available: false },
  ])
})

test('the largest basket is checked in one question to the supplier', async () => {
  let questions = 0
  supplier = (...question) => {
    questions++
    return promptSupplier(...question)
  }
  const reply = await shop.call<CheckStockResponse>('CheckStock', manyLines(250))
  assert.equal(reply.lines.length, 250)
  assert.equal(questions, 1)
})

test('what the supplier does not know is not in stock', async () => {
  supplier = async () => Response.json({ levels: {} })
  const reply = await shop.call<CheckStockResponse>('CheckStock', asked([['TEA-0001', 1]]))
  assert.deepEqual(reply.lines, [{ sku: 'TEA-0001', onHand: 0, available: false }])
})

const refusals: [string, string, object, status, RegExp][] = [
  ['an unknown product', 'GetProduct', { sku: 'TEA-9999' }, status.NOT_FOUND, /TEA-9999/],
  ['a missing sku', 'GetProduct', {}, status.INVALID_ARGUMENT, /sku/],
  ['an empty quote', 'GetQuote', { lines: [] }, status.INVALID_ARGUMENT, /lines/],
  ['251 lines', 'GetQuote', manyLines(251), status.INVALID_ARGUMENT, /not 251/],
  ['a line of none', 'GetQuote', asked([['TEA-0001', 0]]), status.INVALID_ARGUMENT, /lines\[0\].quantity/],
  [
    'a line of 1000',
    'CheckStock',
    asked([['TEA-0001', 1000]]),
    status.INVALID_ARGUMENT,
    /lines\[0\].quantity/,
  ],
  ['stock of an unknown product', 'CheckStock', asked([['TEA-9999', 1]]), status.NOT_FOUND, /TEA-9999/],
  ['products like an unknown one', 'Recommend', { sku: 'TEA-9999' }, status.NOT_FOUND, /TEA-9999/],
  ['21 recommendations', 'Recommend', { sku: 'TEA-0001', limit: 21 }, status.INVALID_ARGUMENT, /limit/],
]

for (const [what, rpc, request, code, details] of refusals) {
  test(`${what} is refused with ${status[code]}`, async () => {
    await assert.rejects(shop.call(rpc, request), (error: { code: status; details: string }) => {
      assert.equal(error.code, code)
      assert.match(error.details, details)
      return true
    })
  })
}

const supplierFaults: [string, typeof fetch, status][] = [
  ['refuses', async () => new Response('', { status: 503 }), status.UNAVAILABLE],
  ['answers without levels', async () => Response.json({}), status.UNAVAILABLE],
  ['answers nonsense', async () => Response.json({ levels: { 'TEA-0001': 'lots' } }), status.UNAVAILABLE],
  ['cannot be reached', () => Promise.reject(new TypeError('fetch failed')), status.UNAVAILABLE],
  [
    'is given up on',
    () => Promise.reject(new DOMException('The operation timed out', 'TimeoutError')),
    status.DEADLINE_EXCEEDED,
  ],
]

for (const [what, fault, code] of supplierFaults) {
  test(`a supplier that ${what} gives ${status[code]}`, async () => {
    supplier = fault
    await assert.rejects(shop.call('CheckStock', asked([['TEA-0001', 1]])), { code })
  })
}

test('health answers for the server and for the service, and for no other', async () => {
  assert.deepEqual(await shop.checkHealth(''), { status: 'SERVING' })
  assert.deepEqual(await shop.checkHealth('storefront.v1.StorefrontService'), { status: 'SERVING' })
  await assert.rejects(shop.checkHealth('bakery.v1.BakeryService'), { code: status.NOT_FOUND })
})
