import { type ServerUnaryCall, type ServiceError, type sendUnaryData, status } from '@grpc/grpc-js'
import { log } from './log.ts'
import { SupplierError } from './stock.ts'

/** A request that cannot be answered, with the gRPC status that says why. */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  readonly code: status

  constructor(code: status, message: string) {
    super(message)
    this.code = code
  }
}

/** Mounts a plain function as a unary RPC: what it returns is the reply, what it throws becomes a status. */
export function unary<Request, Reply>(
  answer: (request: Request) => Reply | Promise<Reply>,
): (call: ServerUnaryCall<Request, Reply>, reply: sendUnaryData<Reply>) => Promise<void> {
  return async (call, reply) => {
    try {
      reply(null, await answer(call.request))
    } catch (error) {
      reply(statusOf(error))
    }
  }
}

/** The status that tells the caller about an error. What is not expected is a bug: it is logged, and its text stays here. */
function statusOf(error: unknown): Partial<ServiceError> {
  if (error instanceof RequestError) return { code: error.code, details: error.message }
  if (error instanceof SupplierError) return { code: status.UNAVAILABLE, details: error.message }
  if (error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError')) {
    return { code: status.DEADLINE_EXCEEDED, details: 'the supplier did not answer in time' }
  }
  if (error instanceof TypeError && error.message === 'fetch failed') {
    return { code: status.UNAVAILABLE, details: 'the supplier cannot be reached' }
  }
  log('unexpected_error', { error: error instanceof Error ? error.stack : String(error) })
  return { code: status.INTERNAL, details: 'internal error' }
}
