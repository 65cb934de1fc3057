import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import type { MethodImplSpec } from '@connectrpc/connect'
import type {
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  StatusObject,
  sendUnaryData,
  UntypedHandleCall,
} from '@grpc/grpc-js'
import { type IncomingCall, ServerCall, type Serving } from './server-call.ts'
import { toStatus } from './status.ts'

/** A handler as `Server.register` takes it; messages are bytes on both sides. */
export interface GrpcHandler {
  readonly type: 'unary' | 'clientStream' | 'serverStream' | 'bidi'
  readonly handle: UntypedHandleCall
}

type Spec<Kind extends MethodImplSpec['kind']> = Extract<MethodImplSpec, { kind: Kind }>
type Writable = ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>
type Readable = ServerReadableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>

/** Turns a Connect handler into a grpc-js one. */
export function grpcHandler(serving: Serving, spec: MethodImplSpec): GrpcHandler {
  switch (spec.kind) {
    case 'unary':
      return { type: 'unary', handle: unaryHandler(serving, spec) }
    case 'client_streaming':
      return { type: 'clientStream', handle: clientStreamingHandler(serving, spec) }
    case 'server_streaming':
      return { type: 'serverStream', handle: serverStreamingHandler(serving, spec) }
    case 'bidi_streaming':
      return { type: 'bidi', handle: bidiStreamingHandler(serving, spec) }
  }
}

function unaryHandler(serving: Serving, spec: Spec<'unary'>) {
  return (incoming: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>) => {
    const call = admit(serving, spec, incoming, respond)
    if (call)
      void answerOnce(call, spec, incoming, respond, () => {
        return spec.impl(call.accept(spec.method.input, incoming.request), call.context)
      })
  }
}

function clientStreamingHandler(serving: Serving, spec: Spec<'client_streaming'>) {
  return (incoming: ServerReadableStream<Buffer, Buffer>, respond: sendUnaryData<Buffer>) => {
    const call = admit(serving, spec, incoming, respond)
    if (call)
      void answerOnce(call, spec, incoming, respond, () => {
        return spec.impl(requestsOf(call, spec, incoming), call.context)
      })
  }
}

function serverStreamingHandler(serving: Serving, spec: Spec<'server_streaming'>) {
  return (incoming: ServerWritableStream<Buffer, Buffer>) => {
    const call = admit(serving, spec, incoming, (status) => incoming.emit('error', status))
    if (call)
      void answerMany(call, spec, incoming, () => {
        return spec.impl(call.accept(spec.method.input, incoming.request), call.context)
      })
  }
}

function bidiStreamingHandler(serving: Serving, spec: Spec<'bidi_streaming'>) {
  return (incoming: ServerDuplexStream<Buffer, Buffer>) => {
    const call = admit(serving, spec, incoming, (status) => incoming.emit('error', status))
    if (call)
      void answerMany(call, spec, incoming, () => spec.impl(requestsOf(call, spec, incoming), call.context))
  }
}

/** Opens a call, or refuses it at the gate with an answer of its own. */
function admit(
  serving: Serving,
  spec: MethodImplSpec,
  incoming: IncomingCall,
  refuse: (status: StatusObject) => void,
): ServerCall | undefined {
  const refusal = serving.gate.enter()
  if (refusal === undefined) return new ServerCall(serving, spec.method, incoming, refuse)
  serving.metrics.handled(spec.method, refusal.code, 0)
  refuse(toStatus(refusal))
  return undefined
}

async function answerOnce(
  call: ServerCall,
  spec: Spec<'unary' | 'client_streaming'>,
  incoming: ServerUnaryCall<Buffer, Buffer> | ServerReadableStream<Buffer, Buffer>,
  respond: sendUnaryData<Buffer>,
  handle: () => Promise<MessageInitShape<DescMessage>> | MessageInitShape<DescMessage>,
): Promise<void> {
  try {
    const bytes = call.pack(spec.method.output, await call.run(handle))
    if (call.answered) return
    call.throwIfBadInput()
    const header = call.header()
    if (header) incoming.sendMetadata(header)
    respond(null, bytes, call.finish())
  } catch (error) {
    call.fail(error)
  } finally {
    call.release()
  }
}

async function answerMany(
  call: ServerCall,
  spec: Spec<'server_streaming' | 'bidi_streaming'>,
  outgoing: Writable,
  handle: () => AsyncIterable<MessageInitShape<DescMessage>>,
): Promise<void> {
  try {
    await call.run(() => writeAll(call, spec, outgoing, handle()))
    if (call.answered) return
    call.throwIfBadInput()
    sendHeader(call, outgoing)
    outgoing.end(call.finish())
  } catch (error) {
    call.fail(error)
  } finally {
    call.release()
  }
}

async function writeAll(
  call: ServerCall,
  spec: Spec<'server_streaming' | 'bidi_streaming'>,
  outgoing: Writable,
  replies: AsyncIterable<MessageInitShape<DescMessage>>,
): Promise<void> {
  let first = true
  for await (const reply of replies) {
    if (call.answered) return
    if (first) sendHeader(call, outgoing)
    first = false
    if (!outgoing.write(call.pack(spec.method.output, reply))) await writable(outgoing)
  }
}

// Sending them twice is harmless: grpc-js sends the first only.
function sendHeader(call: ServerCall, outgoing: Writable): void {
  const header = call.header()
  if (header) outgoing.sendMetadata(header)
}

/** Resolves when the peer has taken enough to be sent more, or the call is gone. */
function writable(outgoing: Writable): Promise<void> {
  if (outgoing.destroyed) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      outgoing.off('drain', done)
      outgoing.off('close', done)
      resolve()
    }
    outgoing.on('drain', done)
    outgoing.on('close', done)
  })
}

/** The requests of a stream, each checked. Errors: `invalid_argument`; the reason of the call's end when it was cut. */
async function* requestsOf(
  call: ServerCall,
  spec: Spec<'client_streaming' | 'bidi_streaming'>,
  incoming: Readable,
): AsyncIterable<MessageShape<DescMessage>> {
  try {
    // A handler that stops reading early still has to answer, so the stream must outlive its iterator.
    for await (const bytes of incoming.iterator({ destroyOnReturn: false })) {
      yield call.accept(spec.method.input, bytes)
    }
  } catch (error) {
    throw call.context.reason ?? error
  }
}
