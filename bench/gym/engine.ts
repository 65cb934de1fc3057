import { failsByItself, workMsOf } from './behaviour.ts'
import { luck, mix, rankOf, uniformOf } from './draws.ts'
import { EventHeap } from './event-heap.ts'
import { arrivalsOf } from './load.ts'
import type { MeshSpec, VersionSpec } from './mesh.ts'
import { type Edge, type Entry, entriesOf, type Plan, type Service, workersAt } from './plan.ts'
import { Calls, Spans } from './pools.ts'
import { dequeue, enqueue } from './queue.ts'
import type { Records } from './records.ts'
import { Requests } from './requests.ts'

/** What an event is: see `EventHeap.push`. */
const arrival = 0
const reach = 1
const worked = 2
const tryTimeout = 3
const callTimeout = 4
const retry = 5

/** A time-out fires this long after its time, so that an answer of the very same moment is in time. */
const timeoutGraceMs = 1e-6
const maxAttempts = 15
const root = -1
const notTrying = -1

/**
 * What happens to requests, event by event. A span is one try of a request at a service: it waits for a worker, works, makes its
 * calls stage by stage and ends. A call has tries until one succeeds, none is left, or its time is over; a client's call of the mesh
 * is a call without a span. Rows of spans and calls are used again, so each reference to one carries its generation.
 */
export class Engine {
  readonly #heap = new EventHeap()
  readonly #spans = new Spans()
  readonly #calls = new Calls()
  readonly #rows: Requests
  readonly #plan: Plan
  readonly #records: Records
  readonly #seed: number
  readonly #nextArrival: () => number
  readonly #entries: readonly Entry[]
  readonly #cancels: boolean
  #arrivals = 0
  nowMs = 0
  /** Events so far. */
  events = 0

  constructor(spec: MeshSpec, plan: Plan, records: Records, seed: number, fromMs: number) {
    this.#seed = mix(seed, 0)
    this.#plan = plan
    this.#records = records
    this.#rows = new Requests(plan.services.length)
    this.#cancels = spec.cancels ?? false
    this.#entries = entriesOf(spec, plan)
    this.#nextArrival = arrivalsOf(spec.load, this.#seed)
    this.#scheduleArrival(fromMs)
  }

  /** Everything that happens before `untilMs`. */
  runUntil(untilMs: number): void {
    const heap = this.#heap
    while (heap.nextMs < untilMs) {
      heap.pop()
      this.nowMs = heap.atMs
      this.events++
      this.#handle(heap.kind, heap.thing, heap.generation)
    }
    this.nowMs = untilMs
  }

  #handle(kind: number, thing: number, generation: number): void {
    if (kind === arrival) this.#arrive()
    else if (kind === reach) this.#reach(thing)
    else if (kind === worked) this.#worked(thing)
    else if (kind === tryTimeout) {
      if (this.#tryId(thing) === generation) this.#giveUpTry(thing)
    } else if (this.#calls.generation[thing] !== generation) return
    else if (kind === callTimeout) this.#giveUpCall(thing)
    else if (kind === retry) this.#retry(thing)
  }

  #scheduleArrival(fromMs: number): void {
    let atMs = this.#nextArrival()
    for (; atMs < fromMs; atMs = this.#nextArrival()) this.#arrivals++
    if (atMs < Infinity) this.#heap.push(atMs, arrival, 0, 0)
  }

  #arrive(): void {
    const number = this.#arrivals++
    const key = mix(this.#seed, number + 1)
    const drawn = uniformOf(key, luck.entry)
    const entry = Math.max(
      0,
      this.#entries.findIndex(({ upTo }) => drawn <= upTo),
    )
    const request = this.#rows.begin(number, entry, key)
    const call = this.#newCall(root, root, root - entry, 0, key, request)
    const { deadlineMs } = this.#entries[entry]!
    this.#scheduleTimeout(callTimeout, call, deadlineMs, this.#calls.generation[call]!)
    this.#try(call)
    this.#scheduleArrival(0)
  }

  #newCall(
    span: number,
    spanGeneration: number,
    edge: number,
    version: number,
    key: number,
    request: number,
  ): number {
    const calls = this.#calls
    const call = calls.take()
    calls.span[call] = span
    calls.spanGeneration[call] = spanGeneration
    calls.edge[call] = edge
    calls.version[call] = version
    calls.key[call] = key
    calls.request[call] = request
    calls.tries[call] = 0
    calls.beganMs[call] = this.nowMs
    this.#rows.hold(request)
    return call
  }

  #scheduleTimeout(kind: number, call: number, afterMs: number, generation: number): void {
    if (afterMs < Infinity) this.#heap.push(this.nowMs + afterMs + timeoutGraceMs, kind, call, generation)
  }

  /** Tells the tries of a call apart, and calls that follow each other in one row. */
  #tryId(call: number): number {
    return (Math.imul(this.#calls.generation[call]!, maxAttempts + 1) + this.#calls.tries[call]!) | 0
  }

  /** Begins a call of a span, from the cache where that has the answer; gives whether it is under way. */
  #call(span: number, edge: Edge): boolean {
    const spans = this.#spans
    const version = spans.version[span]!
    const key = mix(spans.key[span]!, luck.path + edge.index)
    const cache = edge.caches[version]
    let cacheKey = 0
    if (cache !== undefined) {
      const requestKey = this.#rows.key[spans.request[span]!]!
      cacheKey = rankOf(edge.popularity!, uniformOf(requestKey, luck.cache + edge.index))
      if (cache[cacheKey]! > this.nowMs) return false
    }
    const call = this.#newCall(span, spans.generation[span]!, edge.index, version, key, spans.request[span]!)
    this.#calls.cacheKey[call] = cacheKey
    edge.calls++
    this.#scheduleTimeout(callTimeout, call, edge.policies[version]!.timeoutMs, this.#calls.generation[call]!)
    this.#try(call)
    return true
  }

  #try(call: number): void {
    const calls = this.#calls
    const spans = this.#spans
    const edge = this.#plan.edges[calls.edge[call]!]
    const entry = edge === undefined ? this.#entries[root - calls.edge[call]!] : undefined
    const service = edge?.callee ?? entry!.service
    const tries = calls.tries[call]!
    calls.triedMs[call] = this.nowMs
    const span = spans.take()
    spans.service[span] = service
    spans.key[span] = mix(calls.key[call]!, tries)
    spans.request[span] = calls.request[call]!
    spans.call[span] = call
    spans.callGeneration[span] = calls.generation[call]!
    spans.callTry[span] = tries
    const requestKey = this.#rows.key[calls.request[call]!]!
    const weight = this.#plan.services[service]!.canaryWeight
    spans.version[span] = weight > 0 && uniformOf(requestKey, luck.version + service) < weight ? 1 : 0
    this.#rows.hold(calls.request[call]!)
    if (edge !== undefined) {
      const policy = edge.policies[calls.version[call]!]!
      this.#scheduleTimeout(tryTimeout, call, policy.perTryTimeoutMs, this.#tryId(call))
    }
    const networkMs = edge?.networkMs ?? 0
    if (networkMs > 0) this.#heap.push(this.nowMs + networkMs, reach, span, 0)
    else this.#reach(span)
  }

  /** The span is at its service. */
  #reach(span: number): void {
    const spans = this.#spans
    const index = spans.service[span]!
    const service = this.#plan.services[index]!
    spans.arrivedMs[span] = this.nowMs
    spans.ownMs[span] = 0
    spans.stage[span] = 0
    spans.pending[span] = 0
    spans.failed[span] = 0
    spans.next[span] = -1
    this.#records.arrived(index, this.#rows.countTry(spans.request[span]!, index))
    const workers = workersAt(service, this.nowMs)
    if (service.queued === 0 && service.busy < workers) this.#work(span, service)
    else if (workers <= 0 || service.queued >= service.maxQueue) this.#end(span, false, false)
    else {
      enqueue(service, spans, span)
      this.#serveQueue(service, workers)
    }
  }

  #serveQueue(service: Service, workers: number): void {
    while (service.queued > 0 && service.busy < workers) {
      const span = dequeue(service, this.#spans)
      if (this.#cancels && !this.#isWanted(span)) this.#end(span, false, false)
      else this.#work(span, service)
    }
  }

  #work(span: number, service: Service): void {
    const spans = this.#spans
    service.busy++
    const workMs = workMsOf(service, this.#versionOf(span, service), spans.key[span]!, this.nowMs)
    spans.ownMs[span] = this.nowMs - spans.arrivedMs[span]! + workMs
    this.#heap.push(this.nowMs + workMs, worked, span, 0)
  }

  #worked(span: number): void {
    const spans = this.#spans
    const service = this.#plan.services[spans.service[span]!]!
    if (!service.holdsWorker) this.#releaseWorker(service)
    const stops = (this.#cancels && !this.#isWanted(span)) || this.#failsByItself(span, service)
    if (stops) this.#end(span, false, service.holdsWorker)
    else this.#proceed(span)
  }

  #failsByItself(span: number, service: Service): boolean {
    const spans = this.#spans
    const keys = { span: spans.key[span]!, request: this.#rows.key[spans.request[span]!]! }
    return failsByItself(service, this.#versionOf(span, service), keys, this.nowMs)
  }

  #versionOf(span: number, service: Service): VersionSpec {
    return this.#spans.version[span] === 1 ? service.canary : service.stable
  }

  #releaseWorker(service: Service): void {
    service.busy--
    if (service.queued > 0) this.#serveQueue(service, workersAt(service, this.nowMs))
  }

  /** Goes on with the calls of the next stages until one is under way, or ends. */
  #proceed(span: number): void {
    const spans = this.#spans
    const service = this.#plan.services[spans.service[span]!]!
    const generation = spans.generation[span]!
    while (spans.pending[span] === 0) {
      const stage = service.stages[spans.stage[span]!]
      if (stage === undefined) {
        this.#end(span, true, service.holdsWorker)
        return
      }
      spans.stage[span]!++
      // Held open while the stage begins, so that an answer that comes at once does not end it early.
      spans.pending[span] = 1
      for (const edge of stage) {
        const key = spans.key[span]!
        if (edge.probability < 1 && uniformOf(key, luck.probability + edge.index) >= edge.probability)
          continue
        spans.pending[span]!++
        if (!this.#call(span, edge)) spans.pending[span]!--
        if (spans.generation[span] !== generation) return
      }
      spans.pending[span]!--
    }
  }

  #end(span: number, ok: boolean, holds: boolean): void {
    const spans = this.#spans
    const index = spans.service[span]!
    const service = this.#plan.services[index]!
    this.#records.ended(index, spans.version[span]! as 0 | 1, {
      atMs: this.nowMs,
      durationMs: this.nowMs - spans.arrivedMs[span]!,
      ownMs: spans.ownMs[span]!,
      isError: !ok,
      isOwnError: !ok && spans.failed[span] === 0,
    })
    const call = spans.call[span]!
    const isAwaited = this.#isAwaited(span)
    this.#rows.release(spans.request[span]!)
    spans.free(span)
    if (holds) this.#releaseWorker(service)
    if (isAwaited) this.#answered(call, ok)
  }

  #isAwaited(span: number): boolean {
    const call = this.#spans.call[span]!
    return (
      this.#calls.generation[call] === this.#spans.callGeneration[span] &&
      this.#calls.tries[call] === this.#spans.callTry[span]
    )
  }

  /** Whether anyone up to the client still waits for it. */
  #isWanted(span: number): boolean {
    for (let current = span; ; ) {
      if (!this.#isAwaited(current)) return false
      const call = this.#spans.call[current]!
      const caller = this.#calls.span[call]!
      if (caller === root) return true
      if (this.#spans.generation[caller] !== this.#calls.spanGeneration[call]) return false
      current = caller
    }
  }

  #answered(call: number, ok: boolean): void {
    const edge = this.#plan.edges[this.#calls.edge[call]!]
    if (edge !== undefined) this.#countTry(call, edge, !ok)
    if (edge !== undefined && !ok) {
      this.#tryAgain(call, edge)
      return
    }
    if (edge !== undefined) this.#keep(call, edge)
    this.#settle(call, ok)
  }

  /** The answer goes to the cache of the caller's version, if it has one. */
  #keep(call: number, edge: Edge): void {
    const version = this.#calls.version[call]! as 0 | 1
    const cache = edge.caches[version]
    if (cache === undefined) return
    cache[this.#calls.cacheKey[call]!] = this.nowMs + edge.policies[version].cacheTtlMs
  }

  #countTry(call: number, edge: Edge, isError: boolean): void {
    this.#records.edges.count(edge.index, this.nowMs, this.nowMs - this.#calls.triedMs[call]!, isError)
    this.#calls.triedMs[call] = notTrying
  }

  #giveUpTry(call: number): void {
    const edge = this.#plan.edges[this.#calls.edge[call]!]!
    this.#records.abandoned[edge.index]!++
    this.#countTry(call, edge, true)
    this.#tryAgain(call, edge)
  }

  #giveUpCall(call: number): void {
    const edge = this.#plan.edges[this.#calls.edge[call]!]
    if (edge !== undefined && this.#calls.triedMs[call] !== notTrying) {
      this.#records.abandoned[edge.index]!++
      this.#countTry(call, edge, true)
    }
    this.#settle(call, false)
  }

  #tryAgain(call: number, edge: Edge): void {
    const calls = this.#calls
    const policy = edge.policies[calls.version[call]!]!
    const tries = calls.tries[call]! + 1
    const isAffordable = edge.retries < 10 + policy.retryBudget * edge.calls
    if (tries >= Math.min(policy.attempts, maxAttempts) || !isAffordable) {
      this.#settle(call, false)
      return
    }
    edge.retries++
    calls.tries[call] = tries
    const spread = (uniformOf(calls.key[call]!, luck.backoff + tries * 8) * 2 - 1) * policy.jitter
    const waitMs = policy.backoffMs * 2 ** (tries - 1) * (1 + spread)
    if (waitMs > 0) this.#heap.push(this.nowMs + waitMs, retry, call, calls.generation[call]!)
    else this.#retry(call)
  }

  #retry(call: number): void {
    const caller = this.#calls.span[call]!
    const isAlive = caller === root || this.#spans.generation[caller] === this.#calls.spanGeneration[call]
    if (!isAlive || (this.#cancels && caller !== root && !this.#isWanted(caller))) this.#settle(call, false)
    else this.#try(call)
  }

  #settle(call: number, ok: boolean): void {
    const calls = this.#calls
    const spans = this.#spans
    const caller = calls.span[call]!
    const request = calls.request[call]!
    const generation = calls.spanGeneration[call]!
    const edge = this.#plan.edges[calls.edge[call]!]
    const startMs = calls.beganMs[call]!
    calls.free(call)
    if (caller === root) {
      const { arrival: number, entry } = this.#rows
      this.#records.requests.add(number[request]!, entry[request]!, startMs, this.nowMs - startMs, !ok)
    } else if (spans.generation[caller] === generation) {
      spans.pending[caller]!--
      if (!ok && edge?.isOptional === false) {
        spans.failed[caller] = 1
        this.#end(caller, false, this.#plan.services[spans.service[caller]!]!.holdsWorker)
      } else if (spans.pending[caller] === 0) this.#proceed(caller)
    }
    this.#rows.release(request)
  }
}
