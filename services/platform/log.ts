import { trace } from '@opentelemetry/api'
import { type DestinationStream, pino } from 'pino'

/** Structured log: one line of JSON per event, with the trace id in it. Only `events.ts` files and `main.ts` files call it. */
export interface Log {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
  /** A log that adds `fields` to each line. */
  child(fields: LogFields): Log
}

/** Values of a line. An Error under `error` keeps its stack and cause. */
export type LogFields = Readonly<Record<string, unknown>>

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** Opens the process's log. Lines go to `destination`, by default standard error, so that standard output stays the program's own. */
export function createLog(options: { level: LogLevel; destination?: DestinationStream }): Log {
  const destination = options.destination ?? pino.destination({ dest: 2, sync: true })
  const logger = pino(
    {
      level: options.level,
      base: null,
      messageKey: 'event',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.errWithCause },
      mixin: traceFields,
    },
    destination,
  )
  return wrap(logger)
}

function wrap(logger: pino.Logger): Log {
  return {
    debug: (event, fields) => logger.debug(fields ?? {}, event),
    info: (event, fields) => logger.info(fields ?? {}, event),
    warn: (event, fields) => logger.warn(fields ?? {}, event),
    error: (event, fields) => logger.error(fields ?? {}, event),
    child: (fields) => wrap(logger.child(fields)),
  }
}

function traceFields(): object {
  const span = trace.getActiveSpan()?.spanContext()
  return span ? { trace_id: span.traceId, span_id: span.spanId } : {}
}
