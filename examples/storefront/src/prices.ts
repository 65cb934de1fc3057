import type { Product } from './catalogue.ts'

/** From how many pieces of one product on a line gets cheaper, and by how many per cent. The first that applies counts. */
const quantityDiscounts = [
  { fromQuantity: 50, percent: 12 },
  { fromQuantity: 12, percent: 7 },
  { fromQuantity: 6, percent: 3 },
] as const

const saleByWeekday = ['tea', 'coffee', 'chocolate', 'oil', 'spice', 'honey', 'pasta'] as const
const salePercent = 10

/** What one piece costs now, in cents. */
export function currentPriceCents(product: Product): number {
  return priceCentsAt(product, Date.now())
}

/** What one piece costs at a moment (ms since 1970), in cents: each day (UTC) one category is on sale. */
export function priceCentsAt(product: Product, atMs: number): number {
  const onSale = saleByWeekday[new Date(atMs).getUTCDay()] === product.category
  return onSale ? takeOff(product.listPriceCents, salePercent) : product.listPriceCents
}

/** What a whole line costs, in cents, its quantity discount taken off. */
export function linePriceCents(unitPriceCents: number, quantity: number): number {
  const discount = quantityDiscounts.find((step) => quantity >= step.fromQuantity)
  return takeOff(unitPriceCents * quantity, discount?.percent ?? 0)
}

function takeOff(cents: number, percent: number): number {
  return Math.round((cents * (100 - percent)) / 100)
}
