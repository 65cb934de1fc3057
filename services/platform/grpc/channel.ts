import { setImmediate } from 'node:timers/promises'
import type {
  DescMessage,
  DescMethod,
  DescMethodStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf'
import {
  Code,
  ConnectError,
  type StreamResponse,
  type Transport,
  type UnaryResponse,
} from '@connectrpc/connect'
import { Channel, type ChannelOptions, credentials, type Metadata } from '@grpc/grpc-js'
import type { Tracer } from '@opentelemetry/api'
import { decode, encode } from './codec.ts'
import { type HeadersLike, toHeaders } from './metadata.ts'
import { OutgoingCall } from './outgoing-call.ts'
import { markPeerError } from './peer-error.ts'
import { quietGrpc } from './quiet.ts'
import { ReplyStream } from './reply-stream.ts'

export interface GrpcTransportOptions {
  /** `host:port`, or any target that grpc-js resolves, such as `dns:///governor:50051`. */
  readonly address: string
  /** Absent: no spans. The caller's `traceparent` travels on all the same. */
  readonly tracer?: Tracer
  /** The largest message sent or taken, in bytes. */
  readonly maxMessageBytes?: number
  /** The time of a call answered once, where neither it nor the call that it serves has any. */
  readonly defaultTimeoutMs?: number
  readonly keepaliveTimeMs?: number
  readonly keepaliveTimeoutMs?: number
}

export interface GrpcTransport extends Transport {
  /** Closes the channel; calls in flight fail with `unavailable`. Idempotent. */
  close(): void
}

const defaults = {
  maxMessageBytes: 4 * 1024 * 1024,
  defaultTimeoutMs: 60_000,
  keepaliveTimeMs: 60_000,
  keepaliveTimeoutMs: 20_000,
}

/** A peer that comes back is found within this; grpc-js would wait up to two minutes. */
const maxReconnectBackoffMs = 2_000
const initialReconnectBackoffMs = 100
/** A peer that comes back under another address is looked up again after this; grpc-js would wait 30 seconds. */
const minResolutionIntervalMs = 5_000

/**
 * A Connect transport over one grpc-js channel; it connects on the first call. A call made inside a handler gets that
 * handler's remaining time, its cancellation and its trace, whatever it sets itself. Errors: ConnectError with the
 * peer's code, message and details. Nothing is retried.
 */
export function createGrpcTransport(options: GrpcTransportOptions): GrpcTransport {
  quietGrpc()
  const settings = { ...defaults, ...options }
  const channel = new Channel(options.address, credentials.createInsecure(), channelOptions(settings))
  const open = (
    method: DescMethod,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersLike | undefined,
  ) => {
    const defaultTimeoutMs = isAnsweredOnce(method) ? settings.defaultTimeoutMs : Infinity
    return new OutgoingCall({
      channel,
      tracer: options.tracer,
      method,
      signal,
      timeoutMs,
      header,
      defaultTimeoutMs,
    })
  }
  return {
    unary: async (method, signal, timeoutMs, header, input) => {
      const bytes = encode(method.input, input)
      return await callOnce(open(method, signal, timeoutMs, header), method, bytes)
    },
    stream: async (method, signal, timeoutMs, header, input) => {
      return await callStream(open(method, signal, timeoutMs, header), method, input)
    },
    close: () => channel.close(),
  }
}

function isAnsweredOnce(method: DescMethod): boolean {
  return method.methodKind === 'unary' || method.methodKind === 'client_streaming'
}

function channelOptions(settings: typeof defaults): ChannelOptions {
  return {
    'grpc.max_send_message_length': settings.maxMessageBytes,
    'grpc.max_receive_message_length': settings.maxMessageBytes,
    'grpc.keepalive_time_ms': settings.keepaliveTimeMs,
    'grpc.keepalive_timeout_ms': settings.keepaliveTimeoutMs,
    'grpc.initial_reconnect_backoff_ms': initialReconnectBackoffMs,
    'grpc.max_reconnect_backoff_ms': maxReconnectBackoffMs,
    'grpc.dns_min_time_between_resolutions_ms': minResolutionIntervalMs,
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.enable_channelz': 0,
    // Peers are inside the mesh; a proxy of the environment is for the world outside.
    'grpc.enable_http_proxy': 0,
    // Closing a transport then closes its connection, not only its share of a pool.
    'grpc.use_local_subchannel_pool': 1,
  }
}

function callOnce<I extends DescMessage, O extends DescMessage>(
  call: OutgoingCall,
  method: DescMethodUnary<I, O>,
  request: Buffer,
): Promise<UnaryResponse<I, O>> {
  return new Promise((resolve, reject) => {
    let header: Metadata | undefined
    let reply: Buffer | undefined
    call.start({
      header: (metadata) => {
        header = metadata
      },
      message: (bytes) => {
        reply = bytes
      },
      ended: (error, trailer) => {
        if (error) return reject(error)
        try {
          resolve(new UnaryReply(method, messageOf(method, reply), header, trailer))
        } catch (wrong) {
          reject(wrong)
        }
      },
    })
    call.send(request)
    call.halfClose()
    call.read()
  })
}

function messageOf<O extends DescMessage>(
  method: DescMethodUnary<DescMessage, O>,
  bytes: Buffer | undefined,
): MessageShape<O> {
  if (bytes !== undefined) return decodeReply(method, bytes)
  throw markPeerError(new ConnectError('the reply has no message', Code.Internal), method)
}

function decodeReply<O extends DescMessage>(
  method: { output: O } & DescMethod,
  bytes: Buffer,
): MessageShape<O> {
  try {
    return decode(method.output, bytes, Code.Internal)
  } catch (error) {
    throw markPeerError(ConnectError.from(error), method)
  }
}

/** A unary response whose headers are made when they are asked for, which is seldom. */
class UnaryReply<I extends DescMessage, O extends DescMessage> implements UnaryResponse<I, O> {
  readonly stream = false
  readonly method: DescMethodUnary<I, O>
  readonly message: MessageShape<O>
  readonly #header: Metadata | undefined
  readonly #trailer: Metadata

  constructor(
    method: DescMethodUnary<I, O>,
    message: MessageShape<O>,
    header: Metadata | undefined,
    trailer: Metadata,
  ) {
    this.method = method
    this.message = message
    this.#header = header
    this.#trailer = trailer
  }

  get service(): DescService {
    return this.method.parent
  }

  get header(): Headers {
    return this.#header ? toHeaders(this.#header) : new Headers()
  }

  get trailer(): Headers {
    return toHeaders(this.#trailer)
  }
}

async function callStream<I extends DescMessage, O extends DescMessage>(
  call: OutgoingCall,
  method: DescMethodStreaming<I, O>,
  input: AsyncIterable<MessageInitShape<I>>,
): Promise<StreamResponse<I, O>> {
  const replies = new ReplyStream(call)
  call.start(replies)
  call.read()
  void sendAll(replies, method, input)
  const header = toHeaders(await replies.headers)
  const trailer = new Headers()
  return {
    stream: true,
    service: method.parent,
    method,
    header,
    trailer,
    message: readAll(replies, method, trailer),
  }
}

async function* readAll<O extends DescMessage>(
  replies: ReplyStream,
  method: { output: O } & DescMethod,
  trailer: Headers,
): AsyncIterable<MessageShape<O>> {
  try {
    for await (const bytes of replies) yield decodeReply(method, bytes)
    for (const [key, value] of toHeaders(replies.trailer)) trailer.append(key, value)
  } finally {
    // A consumer that stops early has no use for the rest; on an ended call this does nothing.
    replies.call.cancel('the stream was left')
  }
}

// grpc-js takes a megabyte without a pause; a source that never waits would keep the process from all other work.
const messagesPerTurn = 64

/** Sends the requests as they come and as there is room; ends with the call. */
async function sendAll<I extends DescMessage>(
  replies: ReplyStream,
  method: { input: I } & DescMethod,
  input: AsyncIterable<MessageInitShape<I>>,
): Promise<void> {
  const { call } = replies
  const requests = input[Symbol.asyncIterator]()
  let sent = 0
  try {
    while (!call.ended) {
      const next = await orEnded(replies, requests.next())
      if (next?.done) return call.halfClose()
      if (next === undefined) break
      const bytes = encode(method.input, next.value)
      await orEnded(replies, new Promise<void>((resolve) => call.send(bytes, resolve)))
      sent += 1
      if (sent % messagesPerTurn === 0) await orEnded(replies, setImmediate())
    }
  } catch (error) {
    call.cancel(error)
  }
  // Whoever makes the requests is told that nobody hears them; it may be busy, so this is not waited for.
  requests.return?.()?.catch(() => {})
}

/** What `work` gives, or undefined as soon as the call has ended. Unlike Promise.race it leaves nothing behind. */
function orEnded<T>(replies: ReplyStream, work: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    replies.onEnded = () => resolve(undefined)
    work.then(resolve, reject)
  })
}
