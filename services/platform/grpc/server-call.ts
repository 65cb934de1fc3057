import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { Metadata, type StatusObject } from '@grpc/grpc-js'
import type { Tracer } from '@opentelemetry/api'
import type { Log } from '../log.ts'
import { CallContext, runInCall } from './call-context.ts'
import type { CallMetrics } from './call-metrics.ts'
import { decode, encode } from './codec.ts'
import * as events from './events.ts'
import type { Gate } from './gate.ts'
import type { GrpcLimits } from './limits.ts'
import { addHeaders } from './metadata.ts'
import { recode } from './peer-error.ts'
import { type CallSpan, startServerSpan } from './spans.ts'
import { toStatus } from './status.ts'
import { validateMessage } from './validation.ts'

/** What all calls of a server share. */
export interface Serving {
  readonly log: Log
  readonly metrics: CallMetrics
  readonly gate: Gate
  readonly limits: GrpcLimits
  /** Absent: no spans. */
  readonly tracer: Tracer | undefined
}

/** The part of a grpc-js server call that every shape of call has. */
export interface IncomingCall {
  readonly metadata: Metadata
  getDeadline(): Date | number
  on(event: 'cancelled', listener: () => void): unknown
}

/** Caller and server each run a timer for the same deadline; whichever fires first, within this it was the deadline. */
const deadlineSlackMs = 20

/**
 * One call from its admission to its answer. States: open; answered (finished, failed, or cut by its caller or its
 * deadline) exactly once; released when the handler's work is over, which is when its place in the gate is given back.
 */
export class ServerCall {
  readonly context: CallContext
  readonly #serving: Serving
  readonly #startedMs = performance.now()
  readonly #refuse: (status: StatusObject) => void
  readonly #timer: NodeJS.Timeout | undefined
  readonly #span: CallSpan | undefined
  #answered = false
  #badInput: unknown

  /** `refuse` sends an error status; it is called at most once. */
  constructor(
    serving: Serving,
    method: DescMethod,
    call: IncomingCall,
    refuse: (status: StatusObject) => void,
  ) {
    this.#serving = serving
    this.#refuse = refuse
    const given = Number(call.getDeadline())
    const limited = given === Infinity && isAnsweredOnce(method)
    const deadlineMs = limited ? Date.now() + serving.limits.defaultDeadlineMs : given
    this.context = new CallContext(method, call.metadata, deadlineMs)
    // grpc-js keeps the deadline that the caller gave and cancels the call on it; ours is kept here.
    if (limited)
      this.#timer = setTimeout(() => this.fail(deadlineExceeded()), serving.limits.defaultDeadlineMs)
    if (serving.tracer !== undefined) this.#span = startServerSpan(serving.tracer, method, call.metadata)
    call.on('cancelled', () => this.#cancelled())
    serving.metrics.started(method)
  }

  get answered(): boolean {
    return this.#answered
  }

  /** Runs the handler inside this call's context and span. */
  run<T>(work: () => T): T {
    const inCall = () => runInCall(this.context, work)
    return this.#span === undefined ? inCall() : this.#span.run(inCall)
  }

  /** Reads and checks a request. Errors: `invalid_argument` with the field and the rule. */
  accept<Desc extends DescMessage>(schema: Desc, bytes: Buffer): MessageShape<Desc> {
    try {
      const message = decode(schema, bytes, Code.InvalidArgument)
      validateMessage(schema, message)
      return message
    } catch (error) {
      this.#badInput = error
      throw error
    }
  }

  /** A bad message in a stream fails the call even where the handler has swallowed the error. */
  throwIfBadInput(): void {
    if (this.#badInput !== undefined) throw this.#badInput
  }

  /** Writes a reply. Errors: `resource_exhausted` when it is larger than a message may be. */
  pack<Desc extends DescMessage>(schema: Desc, message: MessageInitShape<Desc>): Buffer {
    const bytes = encode(schema, message)
    const max = this.#serving.limits.maxMessageBytes
    if (bytes.byteLength <= max) return bytes
    throw new ConnectError(
      `the reply has ${bytes.byteLength} bytes, over the limit of ${max}`,
      Code.ResourceExhausted,
    )
  }

  /** The response headers to send before the first message; undefined when the handler set none. */
  header(): Metadata | undefined {
    const headers = this.context.headerToSend
    return headers && addHeaders(new Metadata(), headers)
  }

  /** Marks the call as answered well; gives the trailers to send. */
  finish(): Metadata | undefined {
    const trailers = this.context.trailerToSend
    this.#answer(undefined)
    return trailers && addHeaders(new Metadata(), trailers)
  }

  /** Answers with what was thrown, as the caller may see it; does nothing when the call is already answered. */
  fail(thrown: unknown): void {
    if (this.#answered) return
    const { error, hidden } = recode(thrown)
    const report = hidden ? events.causeHidden : events.callRefused
    report(this.#serving.log, this.context.method, error, this.context.incoming('traceparent'))
    const status = toStatus(error)
    // An error is sent trailers-only, so what the handler set as headers travels with the trailers.
    if (this.context.headerToSend) addHeaders(status.metadata, this.context.headerToSend)
    if (this.context.trailerToSend) addHeaders(status.metadata, this.context.trailerToSend)
    this.#answer(error)
    this.#refuse(status)
  }

  /** The handler's work is over. */
  release(): void {
    this.#serving.metrics.released(this.context.method)
    this.#serving.gate.leave()
  }

  #cancelled(): void {
    if (this.#answered) return
    const late = Date.now() >= this.context.deadlineMs - deadlineSlackMs
    this.#answer(
      late ? deadlineExceeded() : new ConnectError('the caller has cancelled the call', Code.Canceled),
    )
  }

  #answer(error: ConnectError | undefined): void {
    this.#answered = true
    clearTimeout(this.#timer)
    this.context.end(error)
    const seconds = (performance.now() - this.#startedMs) / 1000
    this.#serving.metrics.handled(this.context.method, error?.code, seconds)
    this.#span?.end(error)
  }
}

function isAnsweredOnce(method: DescMethod): boolean {
  return method.methodKind === 'unary' || method.methodKind === 'client_streaming'
}

function deadlineExceeded(): ConnectError {
  return new ConnectError('the deadline of the call has passed', Code.DeadlineExceeded)
}
