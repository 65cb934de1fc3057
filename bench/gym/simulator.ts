import { Engine } from './engine.ts'
import type { MeshSpec, VersionSpec } from './mesh.ts'
import { type Plan, planOf, promoteCanary, type Service, setCanary } from './plan.ts'
import { Records } from './records.ts'
import type { ArmTotals, RequestLog, SignalSlot } from './telemetry.ts'

const defaultSlotMs = 1000

/**
 * A discrete-event simulation of a mesh: open arrivals, worker pools with queues, calls with time-outs, retries and caches, faults,
 * and two versions of a service by weight. Each random number belongs to a request and its path (`draws.ts`), so two runs of a
 * world with one seed differ only by what an intervention does.
 *
 * Deterministic mode, for replaying a counterexample: `load: { atMs: [0, …] }`, `work: { medianMs }` without `sigma`, calls without
 * `probability` and `jitter`, no faults (or `slowFactor`, or `errorShare: 1` for a callee that always fails). Then nothing is
 * random, whatever the seed. Read: `requests` (durations and failures of the clients' calls), `abandoned` by edge (tries that the
 * caller gave up while the callee still worked: a timeout inversion), `mostTries` by service (tries that reached it for one
 * request: retry amplification), `mostInFlight` by service (Little's law), `signals` and `edgeSignals`.
 */
export class Simulation {
  readonly #plan: Plan
  readonly #records: Records
  readonly #engine: Engine

  /** `fromMs`: nobody calls before; those who call later have the luck that they have in a run from the start. */
  constructor(spec: MeshSpec, seed: number, fromMs = 0) {
    this.#plan = planOf(spec)
    const { services, edges } = this.#plan
    this.#records = new Records(services.length, edges.length, spec.slotMs ?? defaultSlotMs)
    this.#engine = new Engine(spec, this.#plan, this.#records, seed, fromMs)
  }

  /** Simulates all that happens before `untilMs`. */
  runUntil(untilMs: number): void {
    this.#engine.runUntil(untilMs)
  }

  /** Where the simulation stands. */
  get nowMs(): number {
    return this.#engine.nowMs
  }

  /** Events that were simulated. */
  get events(): number {
    return this.#engine.events
  }

  /** What became of the clients' requests. */
  get requests(): RequestLog {
    return this.#records.requests
  }

  /** By edge: tries that the caller gave up while the callee still worked. */
  get abandoned(): Int32Array {
    return this.#records.abandoned
  }

  /** By service: most tries that reached it for one request of a client. */
  get mostTries(): Int32Array {
    return this.#records.mostTries
  }

  /** By service: most requests that were there at once. */
  get mostInFlight(): Int32Array {
    return this.#records.mostInFlight
  }

  /** Runs a canary of a service at a weight from 0 to 1; the same request meets the same version at each weight that includes it. */
  setCanary(service: string, version: VersionSpec, weight: number): void {
    setCanary(this.#plan, this.#serviceOf(service), version)
    this.setWeight(service, weight)
  }

  /** The canary becomes stable, with what its caches hold. */
  promote(service: string): void {
    promoteCanary(this.#serviceOf(service))
  }

  setWeight(service: string, weight: number): void {
    this.#serviceOf(service).canaryWeight = weight
  }

  /** The two versions of a service since the start, stable first. */
  armsOf(service: string): readonly [ArmTotals, ArmTotals] {
    return this.#records.arms[this.#serviceOf(service).index]!
  }

  /** A service's slots that begin in [fromMs, untilMs), as it reports them itself. */
  signals(service: string, fromMs: number, untilMs: number): SignalSlot[] {
    return this.#records.services.slots(this.#serviceOf(service).index, fromMs, untilMs)
  }

  /** The truth: the service's own time (queue and work) for latency, and as errors those that began there. */
  ownSignals(service: string, fromMs: number, untilMs: number): SignalSlot[] {
    return this.#records.own.slots(this.#serviceOf(service).index, fromMs, untilMs)
  }

  /** An edge's slots as the caller sees them, each try by itself. Edges are numbered as `CallSpec`s come in the spec. */
  edgeSignals(edge: number, fromMs: number, untilMs: number): SignalSlot[] {
    return this.#records.edges.slots(edge, fromMs, untilMs)
  }

  #serviceOf(name: string): Service {
    const index = this.#plan.indexOf.get(name)
    if (index === undefined) throw new Error(`the mesh has no service ${name}`)
    return this.#plan.services[index]!
  }
}
