import type { DescMethod } from '@bufbuild/protobuf'
import { Code, type ConnectError } from '@connectrpc/connect'
import type { Metadata } from '@grpc/grpc-js'
import {
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type TextMapSetter,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { firstText } from './metadata.ts'

/** The span of one call. */
export interface CallSpan {
  /** Runs `work` with the span as the active one. */
  run<T>(work: () => T): T
  end(error: ConnectError | undefined): void
}

const getter: TextMapGetter<Metadata> = {
  keys: (metadata) => Object.keys(metadata.getMap()),
  get: (metadata, key) => firstText(metadata, key),
}

const setter: TextMapSetter<Metadata> = {
  set: (metadata, key, value) => metadata.set(key, value),
}

/** Starts the span of a call that came in; its parent is the span that the caller named in `traceparent`. */
export function startServerSpan(tracer: Tracer, method: DescMethod, metadata: Metadata): CallSpan {
  const parent = propagation.extract(context.active(), metadata, getter)
  return wrap(
    tracer.startSpan(nameOf(method), { kind: SpanKind.SERVER, attributes: attributesOf(method) }, parent),
  )
}

/** Starts the span of a call that goes out, and names it in the call's metadata. */
export function startClientSpan(tracer: Tracer, method: DescMethod, metadata: Metadata): CallSpan {
  const span = tracer.startSpan(nameOf(method), { kind: SpanKind.CLIENT, attributes: attributesOf(method) })
  propagation.inject(trace.setSpan(context.active(), span), metadata, setter)
  return wrap(span)
}

function wrap(span: Span): CallSpan {
  return {
    run: (work) => context.with(trace.setSpan(context.active(), span), work),
    end: (error) => {
      span.setAttribute('rpc.grpc.status_code', error?.code ?? 0)
      if (error) span.setStatus({ code: SpanStatusCode.ERROR, message: Code[error.code] })
      span.end()
    },
  }
}

function nameOf(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`
}

function attributesOf(method: DescMethod): Record<string, string> {
  return { 'rpc.system': 'grpc', 'rpc.service': method.parent.typeName, 'rpc.method': method.name }
}
