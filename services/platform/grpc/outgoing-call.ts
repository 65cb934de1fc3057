import type { DescMethod } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { type ChannelInterface, status as GrpcStatus, Metadata, type StatusObject } from '@grpc/grpc-js'
import type { Tracer } from '@opentelemetry/api'
import { type CallContext, currentCall } from './call-context.ts'
import { addHeaders, type HeadersLike } from './metadata.ts'
import { markPeerError } from './peer-error.ts'
import { type CallSpan, startClientSpan } from './spans.ts'
import { fromStatus } from './status.ts'

type GrpcCall = ReturnType<ChannelInterface['createCall']>

/** What a call is opened with. */
export interface OutgoingOptions {
  readonly channel: ChannelInterface
  readonly tracer: Tracer | undefined
  readonly method: DescMethod
  readonly signal: AbortSignal | undefined
  /** As in Connect: undefined takes the default, zero or less means that the call itself sets none. */
  readonly timeoutMs: number | undefined
  readonly header: HeadersLike | undefined
  /** Used when nobody sets a time; Infinity for none. */
  readonly defaultTimeoutMs: number
}

/** What comes back. `ended` is called once, last; `error` is undefined for OK. */
export interface Replies {
  header(metadata: Metadata): void
  message(bytes: Buffer): void
  ended(error: ConnectError | undefined, trailer: Metadata): void
}

const traceKeys = ['traceparent', 'tracestate']

/**
 * One call over a grpc-js channel. It ends with the first of: its status, its deadline, its signal, and the end of the
 * call on whose behalf it is made. States: open, then ended.
 */
export class OutgoingCall {
  readonly #method: DescMethod
  readonly #call: GrpcCall
  readonly #metadata: Metadata
  readonly #span: CallSpan | undefined
  readonly #signal: AbortSignal | undefined
  readonly #unlink: (() => void) | undefined
  readonly #onAbort: () => void
  #abortError: ConnectError | undefined
  #ended = false

  /** Errors: the call on whose behalf this one is made has ended already. */
  constructor(options: OutgoingOptions) {
    const caller = openCaller()
    this.#method = options.method
    this.#signal = options.signal
    this.#metadata = options.header ? addHeaders(new Metadata(), options.header) : new Metadata()
    if (options.tracer) this.#span = startClientSpan(options.tracer, options.method, this.#metadata)
    else if (caller) passTrace(caller, this.#metadata)
    const path = `/${options.method.parent.typeName}/${options.method.name}`
    this.#call = options.channel.createCall(path, deadlineOf(options, caller), undefined, null, undefined)
    this.#onAbort = () => this.cancel(options.signal?.reason)
    this.#unlink = caller?.onEnd(() => this.cancel(caller.reason ?? outlived()))
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Why this side has ended the call early; undefined when it has not. */
  get abortError(): ConnectError | undefined {
    return this.#abortError
  }

  start(replies: Replies): void {
    this.#call.start(this.#metadata, {
      onReceiveMetadata: (metadata) => replies.header(metadata),
      onReceiveMessage: (bytes: Buffer) => replies.message(bytes),
      onReceiveStatus: (status) => {
        if (this.#ended) return
        const error = this.#end(status)
        replies.ended(error, status.metadata)
      },
    })
    if (this.#signal?.aborted) this.#onAbort()
    else this.#signal?.addEventListener('abort', this.#onAbort)
  }

  /** Lets one more message in. */
  read(): void {
    this.#call.startRead()
  }

  /** Sends a message; `sent` is called when there is room for the next. */
  send(bytes: Buffer, sent?: () => void): void {
    this.#call.sendMessageWithContext(sent === undefined ? {} : { callback: sent }, bytes)
  }

  halfClose(): void {
    this.#call.halfClose()
  }

  /** Ends the call early; it then fails with `reason`, as `canceled` unless it is a ConnectError. */
  cancel(reason: unknown): void {
    if (this.#ended || this.#abortError) return
    this.#abortError = ConnectError.from(reason ?? 'the call was cancelled', Code.Canceled)
    this.#call.cancelWithStatus(GrpcStatus.CANCELLED, this.#abortError.rawMessage)
  }

  #end(status: StatusObject): ConnectError | undefined {
    this.#ended = true
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#unlink?.()
    const error = status.code === GrpcStatus.OK ? undefined : this.#errorOf(status)
    this.#span?.end(error)
    return error
  }

  #errorOf(status: StatusObject): ConnectError {
    if (this.#abortError && status.code === GrpcStatus.CANCELLED) return this.#abortError
    return markPeerError(fromStatus(status), this.#method)
  }
}

/** The call that is being served, unless it is over: work that was left behind by it is on its own. */
function openCaller(): CallContext | undefined {
  const caller = currentCall()
  if (caller?.reason) throw caller.reason
  return caller?.ended ? undefined : caller
}

function deadlineOf(options: OutgoingOptions, caller: CallContext | undefined): number {
  const inherited = caller?.deadlineMs ?? Infinity
  const { timeoutMs, defaultTimeoutMs } = options
  if (timeoutMs !== undefined && timeoutMs > 0) return Math.min(Date.now() + timeoutMs, inherited)
  if (timeoutMs !== undefined || inherited !== Infinity) return inherited
  return Date.now() + defaultTimeoutMs
}

function passTrace(caller: CallContext, metadata: Metadata): void {
  for (const key of traceKeys) {
    const value = caller.incoming(key)
    if (value !== undefined) metadata.set(key, value)
  }
}

function outlived(): ConnectError {
  return new ConnectError(
    'the call that made this call has ended; work that outlives its call is started with detached()',
    Code.Canceled,
  )
}
