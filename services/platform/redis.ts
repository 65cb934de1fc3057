import { Redis } from 'ioredis'

const connectTimeoutMs = 1_000
const maxReconnectDelayMs = 1_000

export interface RedisOptions {
  /** A command that has no answer by then fails. */
  readonly operationTimeoutMs: number
  /** Told of each failure of the connection; it reconnects by itself. */
  readonly onConnectionError: (error: Error) => void
}

/**
 * Opens a connection that fails at once while Redis is away and comes back by itself. Nothing is queued while it is
 * away and nothing is sent twice: whether a command was carried out is then for the caller to find out.
 */
export function connectRedis(url: string, options: RedisOptions): Redis {
  const redis = new Redis(url, {
    connectTimeout: connectTimeoutMs,
    commandTimeout: options.operationTimeoutMs,
    // A connection that has gone silent is given up, so that a peer that vanished without a word is noticed.
    socketTimeout: 2 * options.operationTimeoutMs,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 10), maxReconnectDelayMs),
    disableClientInfo: true,
  })
  redis.on('error', options.onConnectionError)
  return redis
}

/** Waits until commands can be sent. Errors: the connection's last error, or a time-out. */
export function untilReady(redis: Redis, timeoutMs: number): Promise<void> {
  if (redis.status === 'ready') return Promise.resolve()
  return new Promise((resolve, reject) => {
    let reason = new Error(`no answer within ${timeoutMs} ms`)
    const onError = (error: Error) => {
      reason = error
    }
    const settle = (finish: () => void) => {
      clearTimeout(timer)
      redis.off('error', onError)
      redis.off('ready', onReady)
      finish()
    }
    const onReady = () => settle(resolve)
    const timer = setTimeout(() => settle(() => reject(reason)), timeoutMs)
    redis.on('error', onError)
    redis.on('ready', onReady)
  })
}

/** Where a Redis stands, without user and password: fit for messages and logs. */
export function redisAddress(url: string): string {
  const { protocol, host, pathname } = new URL(url)
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}`
}
