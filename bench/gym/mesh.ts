/** Time that a service computes by itself: lognormal about the median; sigma 0 (the default) makes it the same for all requests. */
export interface Work {
  readonly medianMs: number
  readonly sigma?: number
}

/** How a caller calls: what an intervention changes. */
export interface CallPolicy {
  /** How long each try may take; none without it. */
  readonly perTryTimeoutMs?: number
  /** How long all tries together may take; none without it. */
  readonly timeoutMs?: number
  /** Tries in all, the first among them; 1 without it. */
  readonly attempts?: number
  /** Wait before the second try, doubled before each further one; 0 without it. */
  readonly backoffMs?: number
  /** Share of the wait that is random: 0 (the default) none, 1 anything from nothing to twice the wait. */
  readonly jitter?: number
  /** Retries at most this share of the calls so far, plus ten; no such bound without it. */
  readonly retryBudget?: number
  /** Answers are kept by key for so long; nothing is kept without it. */
  readonly cacheTtlMs?: number
}

/** A call that a service makes for each of its own requests, or for a share of them. */
export interface CallSpec extends CallPolicy {
  readonly to: string
  /** 1 without it. */
  readonly probability?: number
  /** Added to the way there; 0 without it. A round trip's time is all put there, so that a call costs one event less. */
  readonly networkMs?: number
  /** What is asked for: so many different things, whose popularity falls by Zipf's law with that skew. Without it no two ask for the same. */
  readonly keys?: { readonly count: number; readonly skew: number }
  /** The caller does without an answer when this call fails. */
  readonly isOptional?: boolean
}

export interface ServiceSpec {
  readonly name: string
  readonly work: Work
  /** Requests that are worked on at once; no bound without it. */
  readonly workers?: number
  /** Requests that wait for a worker at most; the next is refused as an error. No bound without it. */
  readonly maxQueue?: number
  /** A worker waits for the callees, as with a thread for each request; without it the worker is free as soon as its own work is done. */
  readonly holdsWorker?: boolean
  /** Share of requests that fail after the work; each try anew. */
  readonly errorShare?: number
  /** Stages one after another; the calls of a stage at the same time. Edges are numbered in this order over all services. */
  readonly calls?: readonly (readonly CallSpec[])[]
}

/** What goes wrong for a time. What a field does not name stays as it is. */
export interface Fault {
  readonly service: string
  readonly fromMs: number
  readonly untilMs: number
  readonly slowFactor?: number
  readonly errorShare?: number
  /** The same requests fail at each try, as with a wrong argument; without it each try has its own luck. */
  readonly isSticky?: boolean
  readonly stallShare?: number
  readonly stallMs?: number
  /** Workers that remain; 0 is a crash with requests refused. */
  readonly workers?: number
  /** Comes and goes: so long with, so long without. */
  readonly onMs?: number
  readonly offMs?: number
}

export interface Load {
  readonly ratePerS: number
  /** The rate goes up and down by this share over each period. */
  readonly daily?: { readonly amplitude: number; readonly periodMs: number; readonly phase?: number }
  readonly surges?: readonly { readonly fromMs: number; readonly untilMs: number; readonly factor: number }[]
}

/** Who calls the mesh from outside; shares are relative to each other. */
export interface EntrySpec {
  readonly service: string
  readonly share?: number
  /** The client gives up after this. */
  readonly deadlineMs?: number
}

export interface MeshSpec {
  readonly services: readonly ServiceSpec[]
  readonly entries: readonly EntrySpec[]
  /** A rate of Poisson arrivals, or the arrivals themselves. */
  readonly load: Load | { readonly atMs: readonly number[] }
  readonly faults?: readonly Fault[]
  /** Work stops where the caller has given up, as gRPC's cancellation does; without it a callee works on for nobody. */
  readonly cancels?: boolean
  readonly slotMs?: number
}

/** What a new version of a service does otherwise: its own work, its errors, and how it calls (by the name of the callee). */
export interface VersionSpec {
  readonly workFactor?: number
  /** In addition to the service's own. */
  readonly errorShare?: number
  readonly calls?: Readonly<Record<string, CallPolicy>>
}
