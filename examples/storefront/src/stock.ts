/** The supplier answered, but not with stock levels. */
export class SupplierError extends Error {
  override readonly name = 'SupplierError'
}

/**
 * Asks the supplier how many it has of each product, all in one request. Products that the supplier does not know are left out.
 * Errors: SupplierError for an answer that is none; the errors of `fetch` where there was no answer.
 */
export async function stockLevels(
  supplierUrl: string,
  skus: readonly string[],
): Promise<Map<string, number>> {
  const url = new URL('/v1/stock', supplierUrl)
  url.searchParams.set('skus', skus.join(','))
  const response = await fetch(url)
  if (!response.ok) throw new SupplierError(`the supplier answered ${response.status}`)
  return readLevels(await response.json())
}

/** Reads `{"levels": {"TEA-0001": 12}}`. */
function readLevels(body: unknown): Map<string, number> {
  const levels = isRecord(body) ? body.levels : undefined
  if (!isRecord(levels)) throw new SupplierError('the supplier answered without levels')
  return new Map(Object.entries(levels).map(([sku, onHand]) => [sku, readOnHand(sku, onHand)]))
}

function readOnHand(sku: string, onHand: unknown): number {
  if (typeof onHand === 'number' && Number.isInteger(onHand) && onHand >= 0) return onHand
  throw new SupplierError(`the supplier's level of ${sku} is not a whole number`)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
