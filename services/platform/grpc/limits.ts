/** The bounds of a gRPC server. */
export interface GrpcLimits {
  /** The largest message taken or sent, in bytes. */
  readonly maxMessageBytes: number
  /** Calls at work at once in this server; one more is refused with `resource_exhausted`. Health and reflection do not count. */
  readonly maxCallsInFlight: number
  /** The time of a call whose caller set none; streams from the server have none unless their caller sets it. */
  readonly defaultDeadlineMs: number
  /** An idle connection is pinged this often; a dead one is found within this and the time-out. */
  readonly keepaliveTimeMs: number
  readonly keepaliveTimeoutMs: number
}

export const defaultLimits: GrpcLimits = Object.freeze({
  maxMessageBytes: 4 * 1024 * 1024,
  maxCallsInFlight: 1000,
  defaultDeadlineMs: 60_000,
  keepaliveTimeMs: 60_000,
  keepaliveTimeoutMs: 20_000,
})
