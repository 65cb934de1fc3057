import path from 'node:path'
import { type GrpcObject, loadPackageDefinition, type ServiceClientConstructor } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

// The messages of proto/storefront/v1/storefront.proto as proto-loader gives them: camel case, defaults filled in.

export interface GetProductRequest {
  sku: string
}

export interface GetProductResponse {
  sku: string
  name: string
  category: string
  description: string
  priceCents: number
  views: number
}

export interface BasketLine {
  sku: string
  quantity: number
}

export interface GetQuoteRequest {
  lines: BasketLine[]
}

export interface QuotedLine {
  sku: string
  quantity: number
  unitPriceCents: number
  linePriceCents: number
}

export interface GetQuoteResponse {
  lines: QuotedLine[]
  totalCents: number
}

export interface RecommendRequest {
  sku: string
  limit: number
}

export interface Recommendation {
  sku: string
  name: string
  score: number
}

export interface RecommendResponse {
  recommendations: Recommendation[]
}

export interface CheckStockRequest {
  lines: BasketLine[]
}

export interface StockLine {
  sku: string
  onHand: number
  available: boolean
}

export interface CheckStockResponse {
  lines: StockLine[]
}

export interface HealthCheckRequest {
  service: string
}

export interface HealthCheckResponse {
  status: 'UNKNOWN' | 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN'
}

const protoFolder = path.join(import.meta.dirname, '..', 'proto')

const contract = loadPackageDefinition(
  loadSync(['storefront/v1/storefront.proto', 'grpc/health/v1/health.proto'], {
    includeDirs: [protoFolder],
    defaults: true,
    enums: String,
  }),
)

export const storefrontServiceName = 'storefront.v1.StorefrontService'
export const StorefrontClient = findService(storefrontServiceName)
export const HealthClient = findService('grpc.health.v1.Health')

function findService(name: string): ServiceClientConstructor {
  const found = name
    .split('.')
    .reduce<GrpcObject[string]>((scope, part) => (scope as GrpcObject)[part] as GrpcObject[string], contract)
  return found as ServiceClientConstructor
}
