/** The bounds of the edge. */
export interface EdgeLimits {
  /** Requests of a consumer in a minute. */
  readonly ratePerMinute: number
  /** The largest body taken, in bytes. */
  readonly maxBodyBytes: number
  /** Of a request line's target, in characters. */
  readonly maxTargetChars: number
  readonly maxHeaderBytes: number
  readonly maxConnections: number
  /** Requests at work at once; each may hold a body. One more is refused with 503. */
  readonly maxRequestsAtWork: number
  /** The headers have to be complete by then. */
  readonly headersTimeoutMs: number
  /** The whole request has to be there by then. */
  readonly requestTimeoutMs: number
  readonly keepAliveTimeoutMs: number
  /** The deadline that a call gets. */
  readonly callTimeoutMs: number
}

export const defaultEdgeLimits: EdgeLimits = Object.freeze({
  ratePerMinute: 600,
  maxBodyBytes: 2 * 1024 * 1024,
  maxTargetChars: 8192,
  maxHeaderBytes: 16 * 1024,
  maxConnections: 1000,
  maxRequestsAtWork: 256,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveTimeoutMs: 30_000,
  callTimeoutMs: 60_000,
})
