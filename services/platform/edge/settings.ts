import { integer, text } from '../settings.ts'
import { defaultEdgeLimits } from './limits.ts'

/** The edge's settings, to be read with `readSettings` by whoever starts it. */
export const edgeSettings = {
  restAddress: {
    variable: 'NEXUS_REST_ADDRESS',
    read: text,
    purpose: 'host:port of the REST API',
    fallback: '127.0.0.1:8000',
  },
  adminAddress: {
    variable: 'NEXUS_ADMIN_ADDRESS',
    read: text,
    purpose: 'host:port of the calls that make consumers and keys; loopback only',
    fallback: '127.0.0.1:8001',
  },
  ratePerMinute: {
    variable: 'NEXUS_RATE_LIMIT_PER_MINUTE',
    read: integer({ min: 1, max: 1_000_000 }),
    purpose: 'REST requests of a consumer in a minute',
    fallback: defaultEdgeLimits.ratePerMinute,
  },
  maxBodyBytes: {
    variable: 'NEXUS_MAX_BODY_BYTES',
    read: integer({ min: 1024, max: 4 * 1024 * 1024 }),
    purpose: 'the largest body of a REST request, in bytes',
    fallback: defaultEdgeLimits.maxBodyBytes,
  },
} as const
