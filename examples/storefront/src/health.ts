import { status } from '@grpc/grpc-js'
import { type HealthCheckRequest, type HealthCheckResponse, storefrontServiceName } from './contract.ts'
import { RequestError, unary } from './status.ts'

/** The RPCs of grpc.health.v1.Health. `isServing` is asked at each check. */
export function createHealthHandlers(isServing: () => boolean) {
  return {
    Check: unary((request: HealthCheckRequest): HealthCheckResponse => {
      if (request.service !== '' && request.service !== storefrontServiceName) {
        throw new RequestError(status.NOT_FOUND, `no service has the name ${request.service}`)
      }
      return { status: isServing() ? 'SERVING' : 'NOT_SERVING' }
    }),
  }
}
