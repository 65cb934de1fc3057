import neo4j, { type Driver, type ManagedTransaction, type Session } from 'neo4j-driver'
import { Breaker } from '../platform/cache/breaker.ts'
import type { Clock } from '../platform/clock.ts'
import { DocumentStoreError, StaleRevisionError, StoreUnavailableError } from './store.ts'

/** How long one operation may take, from asking for a connection to the answer. */
const operationTimeoutMs = 10_000
const connectTimeoutMs = 2_000
const acquireTimeoutMs = 3_000
/** How long an operation is tried again after errors that pass. */
const retryMs = 2_500
const maxConnections = 16
/** So many failures in a row, and for a while calls are refused at once instead of each waiting on its own. */
const failuresToOpen = 3
const openMs = 1_000
/** A close does not wait longer for a server that hangs. */
const closeTimeoutMs = 500

/** Where a Neo4j is and how to enter it. */
export interface Neo4jAddress {
  /** As the driver takes it: scheme, host and port. */
  readonly url: string
  readonly user: string
  readonly password: string
  /** Undefined: the user's default database. */
  readonly database: string | undefined
  /** Without user and password: fit for messages and logs. */
  readonly shown: string
}

/** Reads `neo4j://user:password@host:7687/database`; the user is neo4j where none is given. Errors: DocumentStoreError. */
export function neo4jAddress(url: string, password = ''): Neo4jAddress {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || parsed.hostname === '' || parsed.search !== '' || parsed.hash !== '') {
    // The URL itself is not shown: there may be a password in it.
    throw new DocumentStoreError(
      'NEXUS_GRAPH_URL is not of the form neo4j://user:password@host:7687/database',
    )
  }
  const database = decodeURIComponent(parsed.pathname.replace(/^\/|\/$/g, ''))
  const base = `${parsed.protocol}//${parsed.host}`
  return {
    url: base,
    user: decodeURIComponent(parsed.username) || 'neo4j',
    password: decodeURIComponent(parsed.password) || password,
    database: database === '' ? undefined : database,
    shown: database === '' ? base : `${base}/${database}`,
  }
}

/**
 * Managed transactions on a Neo4j, each in bounded time, whatever the server does. After a failure it is tried anew by the
 * next call, so it recovers by itself. Errors of all operations: StoreUnavailableError, StaleRevisionError as it is.
 */
export class Neo4jConnection {
  readonly #address: Neo4jAddress
  readonly #breaker: Breaker
  #driver: Driver
  #closed = false

  constructor(address: Neo4jAddress, clock: Clock) {
    this.#address = address
    this.#breaker = new Breaker({ failuresToOpen, openMs, clock })
    this.#driver = connect(address)
  }

  /** Finds out whether the server is there and lets us in. */
  async verify(): Promise<void> {
    await this.#bounded((driver) => driver.getServerInfo({ database: this.#address.database }))
  }

  read<T>(work: (transaction: ManagedTransaction) => Promise<T>): Promise<T> {
    return this.#inSession((session) => session.executeRead(work, { timeout: operationTimeoutMs }))
  }

  write<T>(work: (transaction: ManagedTransaction) => Promise<T>): Promise<T> {
    return this.#inSession((session) => session.executeWrite(work, { timeout: operationTimeoutMs }))
  }

  /** Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await within(
      this.#driver.close().catch(() => {}),
      closeTimeoutMs,
    )
  }

  #inSession<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#bounded(async (driver) => {
      const session = driver.session({ database: this.#address.database })
      try {
        return await work(session)
      } finally {
        // Not waited for: a connection that hangs would keep its answer from us.
        session.close().catch(() => {})
      }
    })
  }

  async #bounded<T>(work: (driver: Driver) => Promise<T>): Promise<T> {
    if (this.#closed) throw this.#unavailable('it is closed')
    if (!this.#breaker.admit()) throw this.#unavailable('it has just failed; it is tried again in a second')
    const driver = this.#driver
    try {
      const result = await within(work(driver), operationTimeoutMs)
      if (result === late) {
        this.#replace(driver)
        throw this.#unavailable(`no answer within ${operationTimeoutMs} ms`)
      }
      this.#breaker.succeeded()
      return result
    } catch (error) {
      if (isOwn(error)) this.#breaker.succeeded()
      else this.#breaker.failed()
      throw isOwn(error) || error instanceof StoreUnavailableError
        ? error
        : this.#unavailable(reasonOf(error), error)
    }
  }

  /** Connections that hang are left behind with their driver; they end when the server or the network does. */
  #replace(driver: Driver): void {
    if (this.#driver !== driver || this.#closed) return
    this.#driver = connect(this.#address)
    driver.close().catch(() => {})
  }

  #unavailable(reason: string, cause?: unknown): StoreUnavailableError {
    return new StoreUnavailableError(this.#address.shown, reason, { cause })
  }
}

function connect({ url, user, password }: Neo4jAddress): Driver {
  return neo4j.driver(url, neo4j.auth.basic(user, password), {
    disableLosslessIntegers: true,
    connectionTimeout: connectTimeoutMs,
    connectionAcquisitionTimeout: acquireTimeoutMs,
    maxTransactionRetryTime: retryMs,
    maxConnectionPoolSize: maxConnections,
    // A connection that has been idle is tried before it is used, so that a restart of the server is not met by a failure.
    connectionLivenessCheckTimeout: 1_000,
    telemetryDisabled: true,
  })
}

/** The server did its work; what is wrong is for the caller to know. */
function isOwn(error: unknown): boolean {
  if (error instanceof StaleRevisionError || error instanceof DocumentStoreError) return true
  return /^Neo\.ClientError\.(Statement|Schema)\./.test((error as { code?: string }).code ?? '')
}

function reasonOf(error: unknown): string {
  const { code = '', message = '' } = error as { code?: string; message?: string }
  if (/Security\.(Unauthorized|AuthenticationRateLimit|CredentialsExpired|Forbidden)/.test(code)) {
    return `it refuses the user or the password (${message})`
  }
  if (/No routing servers available/.test(message)) return 'no server answers there'
  const cause = /Caused by: (.*)$/s.exec(message)?.[1] ?? message
  return cause.split('\n')[0] ?? ''
}

const late = Symbol('late')

/** What `work` gives, or `late` when it takes longer; then its end is nobody's concern. */
async function within<T>(work: Promise<T>, timeoutMs: number): Promise<T | typeof late> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<typeof late>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, late)
  })
  try {
    return await Promise.race([work, timeout])
  } finally {
    clearTimeout(timer)
  }
}
