import type { DescMethod } from '@bufbuild/protobuf'
import { Code, type ConnectError } from '@connectrpc/connect'
import type { Log } from '../log.ts'

/** A call failed for a reason that its caller is not told. */
export function causeHidden(log: Log, method: DescMethod, told: ConnectError, traceparent?: string): void {
  log[told.code === Code.Internal ? 'error' : 'warn']('grpc_call_failed', {
    ...nameOf(method),
    code: Code[told.code],
    ...traceOf(traceparent),
    error: told.cause instanceof Error ? told.cause : new Error(String(told.cause)),
  })
}

/** A caller was answered with an error that is not hidden from it. */
export function callRefused(log: Log, method: DescMethod, told: ConnectError, traceparent?: string): void {
  log.debug('grpc_call_refused', {
    ...nameOf(method),
    code: Code[told.code],
    message: told.rawMessage,
    ...traceOf(traceparent),
  })
}

/** The server's port is open. */
export function serverListening(log: Log, address: string): void {
  log.info('grpc_server_listening', { address })
}

/** Some handlers were still at work when the grace ran out; their calls have been cut. */
export function drainCut(log: Log, graceMs: number): void {
  log.warn('grpc_server_drain_cut', { grace_ms: graceMs })
}

function nameOf(method: DescMethod): object {
  return { grpc_service: method.parent.typeName, grpc_method: method.name }
}

// The caller's trace id is worth having even where this process records no spans.
function traceOf(traceparent: string | undefined): object {
  const traceId = traceparent?.split('-')[1]
  return traceId === undefined ? {} : { trace_id: traceId }
}
