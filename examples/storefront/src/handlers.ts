import { status } from '@grpc/grpc-js'
import { findProduct, type Product } from './catalogue.ts'
import type {
  BasketLine,
  CheckStockRequest,
  CheckStockResponse,
  GetProductRequest,
  GetProductResponse,
  GetQuoteRequest,
  GetQuoteResponse,
  Recommendation,
  RecommendRequest,
  RecommendResponse,
} from './contract.ts'
import { currentPriceCents, linePriceCents } from './prices.ts'
import { mostViewed, recordView, similarProducts } from './recommendations.ts'
import { RequestError, unary } from './status.ts'
import { stockLevels } from './stock.ts'

const maxLines = 250
const maxQuantity = 999
const maxRecommendations = 20
const defaultRecommendations = 6

/** The RPCs of StorefrontService. `supplierUrl` is where the supplier's stock service listens. */
export function createHandlers(options: { supplierUrl: string }) {
  return {
    GetProduct: unary(getProduct),
    GetQuote: unary(getQuote),
    Recommend: unary(recommend),
    CheckStock: unary((request: CheckStockRequest) => checkStock(request, options.supplierUrl)),
  }
}

function getProduct(request: GetProductRequest): GetProductResponse {
  const product = requireProduct(request.sku)
  const { sku, name, category, description } = product
  return {
    sku,
    name,
    category,
    description,
    priceCents: currentPriceCents(product),
    views: recordView(sku),
  }
}

function getQuote(request: GetQuoteRequest): GetQuoteResponse {
  checkBasket(request.lines)
  const lines = request.lines.map(({ sku, quantity }) => {
    const unitPriceCents = currentPriceCents(requireProduct(sku))
    return { sku, quantity, unitPriceCents, linePriceCents: linePriceCents(unitPriceCents, quantity) }
  })
  return { lines, totalCents: lines.reduce((total, line) => total + line.linePriceCents, 0) }
}

function recommend(request: RecommendRequest): RecommendResponse {
  const limit = request.limit === 0 ? defaultRecommendations : request.limit
  if (limit < 1 || limit > maxRecommendations) {
    throw new RequestError(status.INVALID_ARGUMENT, `limit must be from 1 to ${maxRecommendations}, or 0`)
  }
  if (request.sku === '') {
    return { recommendations: mostViewed(limit).map((sku) => recommendation(sku, 0)) }
  }
  requireProduct(request.sku)
  const similar = similarProducts(request.sku, limit)
  return { recommendations: similar.map(({ sku, score }) => recommendation(sku, score)) }
}

async function checkStock(request: CheckStockRequest, supplierUrl: string): Promise<CheckStockResponse> {
  checkBasket(request.lines)
  for (const { sku } of request.lines) requireProduct(sku)
  const skus = [...new Set(request.lines.map((line) => line.sku))]
  const levels = await stockLevels(supplierUrl, skus)
  return {
    lines: request.lines.map(({ sku, quantity }) => {
      const onHand = levels.get(sku) ?? 0
      return { sku, onHand, available: onHand >= quantity }
    }),
  }
}

function recommendation(sku: string, score: number): Recommendation {
  return { sku, name: requireProduct(sku).name, score }
}

function requireProduct(sku: string): Product {
  if (sku === '') throw new RequestError(status.INVALID_ARGUMENT, 'sku is missing')
  const product = findProduct(sku)
  if (product === undefined) throw new RequestError(status.NOT_FOUND, `no product has the sku ${sku}`)
  return product
}

function checkBasket(lines: readonly BasketLine[]): void {
  if (lines.length < 1 || lines.length > maxLines) {
    throw new RequestError(
      status.INVALID_ARGUMENT,
      `lines must be from 1 to ${maxLines}, not ${lines.length}`,
    )
  }
  const wrong = lines.findIndex((line) => line.quantity < 1 || line.quantity > maxQuantity)
  if (wrong >= 0) {
    throw new RequestError(
      status.INVALID_ARGUMENT,
      `lines[${wrong}].quantity must be from 1 to ${maxQuantity}`,
    )
  }
}
