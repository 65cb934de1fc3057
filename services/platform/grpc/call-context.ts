import { AsyncLocalStorage } from 'node:async_hooks'
import type { DescMethod, DescService } from '@bufbuild/protobuf'
import {
  Code,
  ConnectError,
  type ContextValues,
  createContextValues,
  type HandlerContext,
} from '@connectrpc/connect'
import type { Metadata } from '@grpc/grpc-js'
import { ROOT_CONTEXT, context as traceContext } from '@opentelemetry/api'
import { firstText, toHeaders } from './metadata.ts'

/**
 * A Connect HandlerContext over a grpc-js call. Most handlers look at none of its parts, so each is made when it is
 * first asked for. A call is open, then ends exactly once: finished, cancelled by its caller, or out of time.
 */
export class CallContext implements HandlerContext {
  readonly method: DescMethod
  readonly requestMethod = 'POST'
  readonly protocolName = 'grpc'
  /** Milliseconds since the epoch; Infinity when the call has no deadline. */
  readonly deadlineMs: number
  readonly timeoutMs: () => number | undefined
  readonly #metadata: Metadata
  #ended = false
  #reason: ConnectError | undefined
  #controller: AbortController | undefined
  #listeners: Set<() => void> | undefined
  #values: ContextValues | undefined
  #requestHeader: Headers | undefined
  #responseHeader: Headers | undefined
  #responseTrailer: Headers | undefined

  constructor(method: DescMethod, metadata: Metadata, deadlineMs: number) {
    this.method = method
    this.#metadata = metadata
    this.deadlineMs = deadlineMs
    this.timeoutMs = () => (deadlineMs === Infinity ? undefined : deadlineMs - Date.now())
  }

  get service(): DescService {
    return this.method.parent
  }

  get url(): string {
    return `http://grpc/${this.method.parent.typeName}/${this.method.name}`
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#ended) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  get values(): ContextValues {
    this.#values ??= createContextValues()
    return this.#values
  }

  get requestHeader(): Headers {
    this.#requestHeader ??= toHeaders(this.#metadata)
    return this.#requestHeader
  }

  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers()
    return this.#responseHeader
  }

  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers()
    return this.#responseTrailer
  }

  /** The response headers if the handler has touched them. */
  get headerToSend(): Headers | undefined {
    return this.#responseHeader
  }

  /** The response trailers if the handler has touched them. */
  get trailerToSend(): Headers | undefined {
    return this.#responseTrailer
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Why the call ended early; undefined while it is open and when it ran to its end. */
  get reason(): ConnectError | undefined {
    return this.#reason
  }

  /** Text that the caller sent with the call, such as `traceparent`. */
  incoming(key: string): string | undefined {
    return firstText(this.#metadata, key)
  }

  /** Has `listener` called when the call ends; the function given back takes it off again. Cheaper than `signal`. */
  onEnd(listener: () => void): () => void {
    this.#listeners ??= new Set()
    const listeners = this.#listeners
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  /** Ends the call and aborts its signal. `reason` is left out when the handler ran to its end. */
  end(reason?: ConnectError): void {
    if (this.#ended) return
    this.#ended = true
    this.#reason = reason
    for (const listener of this.#listeners ?? []) listener()
    this.#controller?.abort(reason ?? new ConnectError('the call has ended', Code.Canceled))
  }
}

const calls = new AsyncLocalStorage<CallContext | undefined>()

/** Runs a handler so that the calls it makes find `context`: its deadline, its cancellation, its trace. */
export function runInCall<T>(context: CallContext, work: () => T): T {
  return calls.run(context, work)
}

/** The call on whose behalf the current code runs; undefined outside of handlers. */
export function currentCall(): CallContext | undefined {
  return calls.getStore()
}

/**
 * Runs work that outlives the call that starts it (a loop, a shared load): calls made by it get neither the deadline
 * nor the cancellation nor the trace of that call.
 */
export function detached<T>(work: () => T): T {
  return calls.run(undefined, () => traceContext.with(ROOT_CONTEXT, work))
}
