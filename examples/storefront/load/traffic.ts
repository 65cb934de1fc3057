import { products } from '../src/catalogue.ts'
import type { BasketLine } from '../src/contract.ts'

/** One request of the traffic: the RPC and its message. */
export interface PlannedCall {
  readonly rpc: Rpc
  readonly request: object
}

export type Rpc = 'GetProduct' | 'GetQuote' | 'Recommend' | 'CheckStock'

/**
 * The traffic of an afternoon, as the shop's access log has it. Customers come through the front page, so the products on it are what is asked for,
 * the first of them most (a Zipf law). One stock check in 12 is the weekly order of a restaurant, which is by far longer than a customer's basket.
 */
export const usualTraffic: TrafficModel = {
  shares: { GetProduct: 0.28, GetQuote: 0.2, Recommend: 0.26, CheckStock: 0.26 },
  frontPageProducts: 48,
  zipfExponent: 1.1,
  smallBasket: [1, 3],
  largeBasket: [180, 240],
  largeBasketShare: 1 / 20,
}

export interface TrafficModel {
  /** Of all calls; they add up to 1. */
  readonly shares: Readonly<Record<Rpc, number>>
  readonly frontPageProducts: number
  readonly zipfExponent: number
  /** Lines, from the first to the second. */
  readonly smallBasket: readonly [number, number]
  readonly largeBasket: readonly [number, number]
  /** Of the stock checks. */
  readonly largeBasketShare: number
}

/** Gives one call after another; the same ones for the same random numbers. */
export function planCalls(model: TrafficModel, random: () => number): () => PlannedCall {
  const popular = frontPage(model.frontPageProducts)
  const pickSku = zipfPicker(popular, model.zipfExponent, random)
  const pickRpc = sharePicker(model.shares, random)
  return () => {
    const rpc = pickRpc()
    if (rpc === 'GetProduct') return { rpc, request: { sku: pickSku() } }
    if (rpc === 'Recommend') return { rpc, request: { sku: pickSku(), limit: 6 } }
    const large = rpc === 'CheckStock' && random() < model.largeBasketShare
    return {
      rpc,
      request: { lines: large ? largeBasket(model, random) : smallBasket(model, pickSku, random) },
    }
  }
}

/** The products of the front page, of every category as many, spread over the catalogue. */
function frontPage(count: number): string[] {
  const step = Math.floor(products.length / count)
  return Array.from({ length: count }, (_, index) => products[index * step]!.sku)
}

function smallBasket(model: TrafficModel, pickSku: () => string, random: () => number): BasketLine[] {
  const skus = new Set(Array.from({ length: between(model.smallBasket, random) }, pickSku))
  return [...skus].map((sku) => ({ sku, quantity: between([1, 4], random) }))
}

/** A weekly order goes through the whole catalogue: neighbours on the shelf, from some place on. */
function largeBasket(model: TrafficModel, random: () => number): BasketLine[] {
  const first = Math.floor(random() * products.length)
  return Array.from({ length: between(model.largeBasket, random) }, (_, index) => ({
    sku: products[(first + index) % products.length]!.sku,
    quantity: between([2, 24], random),
  }))
}

function between([least, most]: readonly [number, number], random: () => number): number {
  return least + Math.floor(random() * (most - least + 1))
}

function sharePicker(shares: TrafficModel['shares'], random: () => number): () => Rpc {
  return weightedPicker(Object.entries(shares) as [Rpc, number][], random)
}

function zipfPicker(skus: readonly string[], exponent: number, random: () => number): () => string {
  return weightedPicker(
    skus.map((sku, index) => [sku, 1 / (index + 1) ** exponent]),
    random,
  )
}

function weightedPicker<T>(weighted: readonly (readonly [T, number])[], random: () => number): () => T {
  const total = weighted.reduce((sum, [, weight]) => sum + weight, 0)
  return () => {
    let left = random() * total
    for (const [item, weight] of weighted) {
      left -= weight
      if (left < 0) return item
    }
    return weighted.at(-1)![0]
  }
}
