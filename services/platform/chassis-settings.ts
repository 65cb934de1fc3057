import { defaultLimits, type GrpcLimits } from './grpc/limits.ts'
import { logLevels } from './log.ts'
import { flag, integer, oneOf, type Setting, type SettingsOf, text } from './settings.ts'

const maxBytes = 1024 * 1024 * 1024
const maxMs = 24 * 60 * 60 * 1000

function optional(setting: Omit<Setting<string>, 'read' | 'fallback'>): Setting<string | undefined> {
  return { ...setting, read: text, fallback: undefined }
}

/** The settings that every process has, whichever services run in it. */
export const chassisSettings = {
  logLevel: {
    variable: 'NEXUS_LOG_LEVEL',
    read: oneOf(logLevels),
    purpose: 'the least level that is logged',
    fallback: 'info',
  },
  host: {
    variable: 'NEXUS_HOST',
    read: text,
    purpose: 'the address on which the gRPC and metrics ports are opened',
    fallback: '127.0.0.1',
  },
  grpcPort: {
    variable: 'NEXUS_GRPC_PORT',
    read: integer({ min: 0, max: 65_535 }),
    purpose: 'the port for gRPC; 0 takes a free one',
    fallback: 50_051,
  },
  metricsPort: {
    variable: 'NEXUS_METRICS_PORT',
    read: integer({ min: 0, max: 65_535 }),
    purpose: 'the port for /metrics, /healthz and /readyz; 0 takes a free one',
    fallback: 9464,
  },
  maxMessageBytes: {
    variable: 'NEXUS_MAX_MESSAGE_BYTES',
    read: integer({ min: 1024, max: maxBytes }),
    purpose: 'the largest gRPC message in either direction',
    fallback: defaultLimits.maxMessageBytes,
  },
  maxCallsInFlight: {
    variable: 'NEXUS_MAX_CALLS_IN_FLIGHT',
    read: integer({ min: 1, max: 100_000 }),
    purpose: 'how many calls are served at once; more are refused',
    fallback: defaultLimits.maxCallsInFlight,
  },
  defaultDeadlineMs: {
    variable: 'NEXUS_DEFAULT_DEADLINE_MS',
    read: integer({ min: 1, max: maxMs }),
    purpose: 'the time of a call whose caller sets none',
    fallback: defaultLimits.defaultDeadlineMs,
  },
  drainMs: {
    variable: 'NEXUS_DRAIN_MS',
    read: integer({ min: 0, max: maxMs }),
    purpose: 'how long calls in flight may take to finish when the process ends',
    fallback: 1000,
  },
  otlpUrl: optional({
    variable: 'NEXUS_OTLP_URL',
    purpose: 'the OTLP/HTTP collector for traces, such as http://collector:4318; unset for none',
  }),
  pyroscopeUrl: optional({
    variable: 'NEXUS_PYROSCOPE_URL',
    purpose: 'the Pyroscope server for continuous profiles; unset for none',
  }),
  pprof: {
    variable: 'NEXUS_PPROF',
    read: flag,
    purpose: 'whether the metrics port serves profiles under /debug/pprof',
    fallback: false,
  },
} as const satisfies Record<string, Setting<unknown>>

/** The limits of the gRPC server as the settings have them. */
export function grpcLimits(settings: SettingsOf<typeof chassisSettings>): Partial<GrpcLimits> {
  const { maxMessageBytes, maxCallsInFlight, defaultDeadlineMs } = settings
  return { maxMessageBytes, maxCallsInFlight, defaultDeadlineMs }
}
