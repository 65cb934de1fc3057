import {
  context,
  type DiagLogger,
  DiagLogLevel,
  diag,
  propagation,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import type { SpanExporter } from '@opentelemetry/sdk-trace-node'
import type { Log } from './log.ts'

export interface TracingOptions {
  /** The process's name in traces. */
  readonly serviceName: string
  readonly log: Log
  /** The base URL of an OTLP/HTTP collector, such as `http://collector:4318`. Without it nothing is recorded. */
  readonly otlpUrl?: string
  /** Where spans go instead of to a collector. */
  readonly exporter?: SpanExporter
}

/** The process's tracing. There is one at a time, because OpenTelemetry's own state is global. */
export interface Tracing {
  /** For services: records, or does nothing when tracing is off. */
  readonly tracer: Tracer
  /** For servers and transports: undefined when tracing is off, so that calls pay nothing for it. */
  readonly callTracer: Tracer | undefined
  /** Sends what is left, for at most a second; idempotent. */
  close(): Promise<void>
}

const scope = 'nexus'
const maxFlushMs = 1000

/** Starts tracing if there is somewhere to send spans to; the SDK is loaded only then. */
export async function openTracing(options: TracingOptions): Promise<Tracing> {
  if (options.otlpUrl === undefined && options.exporter === undefined) {
    return { tracer: trace.getTracer(scope), callTracer: undefined, close: async () => {} }
  }
  const { BatchSpanProcessor, NodeTracerProvider } = await import('@opentelemetry/sdk-trace-node')
  const { resourceFromAttributes } = await import('@opentelemetry/resources')
  diag.setLogger(diagLogger(options.log), { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
  const exporter = options.exporter ?? (await otlpExporter(options.otlpUrl ?? ''))
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': options.serviceName }),
    spanProcessors: [new BatchSpanProcessor(exporter, { exportTimeoutMillis: maxFlushMs })],
  })
  // Registers W3C trace context as the propagator and async hooks as the context manager.
  provider.register()
  const tracer = provider.getTracer(scope)
  return { tracer, callTracer: tracer, close: () => shutDown(provider, options.log) }
}

async function otlpExporter(baseUrl: string): Promise<SpanExporter> {
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http')
  return new OTLPTraceExporter({ url: `${baseUrl.replace(/\/+$/, '')}/v1/traces`, timeoutMillis: maxFlushMs })
}

async function shutDown(provider: { shutdown(): Promise<void> }, log: Log): Promise<void> {
  // A collector that is away is no reason to fail at the end.
  await provider.shutdown().catch((error) => log.warn('tracing_failed', { error }))
  trace.disable()
  context.disable()
  propagation.disable()
  diag.disable()
}

function diagLogger(log: Log): DiagLogger {
  const silent = () => {}
  return {
    error: (message) => log.warn('tracing_failed', { message }),
    warn: (message) => log.warn('tracing_warned', { message }),
    info: silent,
    debug: silent,
    verbose: silent,
  }
}
