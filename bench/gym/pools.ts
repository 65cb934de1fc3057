/** Rows of numbers in typed arrays with a list of free ones. A row's generation goes up when it is freed, so that stale references are known. */
abstract class Pool {
  capacity = 0
  generation = new Int32Array(0)
  #free = new Int32Array(0)
  #freeCount = 0

  take(): number {
    if (this.#freeCount === 0) this.#grow()
    return this.#free[--this.#freeCount]!
  }

  free(row: number): void {
    this.generation[row]!++
    this.#free[this.#freeCount++] = row
  }

  /** Rows in use. */
  get used(): number {
    return this.capacity - this.#freeCount
  }

  protected abstract resize(capacity: number): void

  #grow(): void {
    const capacity = Math.max(256, this.capacity * 2)
    this.resize(capacity)
    this.generation = grown(this.generation, capacity)
    this.#free = new Int32Array(capacity)
    for (let row = capacity - 1; row >= this.capacity; row--) this.#free[this.#freeCount++] = row
    this.capacity = capacity
  }
}

/** One try of a request at a service. */
export class Spans extends Pool {
  service = new Int32Array(0)
  version = new Int32Array(0)
  /** Key of its random numbers. */
  key = new Int32Array(0)
  /** Row of the request that it belongs to. */
  request = new Int32Array(0)
  /** Row of the call that waits for it, with that row's generation and try. */
  call = new Int32Array(0)
  callGeneration = new Int32Array(0)
  callTry = new Int32Array(0)
  stage = new Int32Array(0)
  pending = new Int32Array(0)
  /** 1 when a call that it cannot do without has failed. */
  failed = new Int32Array(0)
  /** The span that waits behind it in the queue, or -1. */
  next = new Int32Array(0)
  arrivedMs = new Float64Array(0)
  startedMs = new Float64Array(0)
  /** Time of its own: in the queue and at work. */
  ownMs = new Float64Array(0)

  protected resize(capacity: number): void {
    this.service = grown(this.service, capacity)
    this.version = grown(this.version, capacity)
    this.key = grown(this.key, capacity)
    this.request = grown(this.request, capacity)
    this.call = grown(this.call, capacity)
    this.callGeneration = grown(this.callGeneration, capacity)
    this.callTry = grown(this.callTry, capacity)
    this.stage = grown(this.stage, capacity)
    this.pending = grown(this.pending, capacity)
    this.failed = grown(this.failed, capacity)
    this.next = grown(this.next, capacity)
    this.arrivedMs = grownFloats(this.arrivedMs, capacity)
    this.startedMs = grownFloats(this.startedMs, capacity)
    this.ownMs = grownFloats(this.ownMs, capacity)
  }
}

/** A call with all its tries; the client's own call of the mesh has no span. */
export class Calls extends Pool {
  span = new Int32Array(0)
  spanGeneration = new Int32Array(0)
  edge = new Int32Array(0)
  /** Which of the two policies of the edge counts: the caller's version. */
  version = new Int32Array(0)
  key = new Int32Array(0)
  request = new Int32Array(0)
  tries = new Int32Array(0)
  cacheKey = new Int32Array(0)
  beganMs = new Float64Array(0)
  triedMs = new Float64Array(0)

  protected resize(capacity: number): void {
    this.span = grown(this.span, capacity)
    this.spanGeneration = grown(this.spanGeneration, capacity)
    this.edge = grown(this.edge, capacity)
    this.version = grown(this.version, capacity)
    this.key = grown(this.key, capacity)
    this.request = grown(this.request, capacity)
    this.tries = grown(this.tries, capacity)
    this.cacheKey = grown(this.cacheKey, capacity)
    this.beganMs = grownFloats(this.beganMs, capacity)
    this.triedMs = grownFloats(this.triedMs, capacity)
  }
}

export function grown(values: Int32Array<ArrayBuffer>, capacity: number): Int32Array<ArrayBuffer> {
  const result = new Int32Array(capacity)
  result.set(values)
  return result
}

export function grownFloats(values: Float64Array<ArrayBuffer>, capacity: number): Float64Array<ArrayBuffer> {
  const result = new Float64Array(capacity)
  result.set(values)
  return result
}
