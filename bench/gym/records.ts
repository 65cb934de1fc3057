import { type ArmTotals, countArm, newArm, RequestLog, SlotSignals } from './telemetry.ts'

/** How a request ended at a service. */
interface Ended {
  readonly atMs: number
  readonly durationMs: number
  /** In the queue and at work. */
  readonly ownMs: number
  readonly isError: boolean
  /** No callee is to blame. */
  readonly isOwnError: boolean
}

/** All that is told of a simulation, by the numbers of services and edges. */
export class Records {
  readonly services: SlotSignals
  readonly own: SlotSignals
  readonly edges: SlotSignals
  readonly requests = new RequestLog()
  readonly arms: readonly (readonly [ArmTotals, ArmTotals])[]
  readonly abandoned: Int32Array
  readonly mostTries: Int32Array
  readonly mostInFlight: Int32Array
  readonly #inFlight: Int32Array

  constructor(services: number, edges: number, slotMs: number) {
    this.services = new SlotSignals(services, slotMs)
    this.own = new SlotSignals(services, slotMs)
    this.edges = new SlotSignals(edges, slotMs)
    this.arms = Array.from({ length: services }, () => [newArm(), newArm()] as const)
    this.abandoned = new Int32Array(edges)
    this.mostTries = new Int32Array(services)
    this.mostInFlight = new Int32Array(services)
    this.#inFlight = new Int32Array(services)
  }

  /** `tries`: how many have reached the service for the same request of a client. */
  arrived(service: number, tries: number): void {
    const inFlight = ++this.#inFlight[service]!
    if (inFlight > this.mostInFlight[service]!) this.mostInFlight[service] = inFlight
    if (tries > this.mostTries[service]!) this.mostTries[service] = tries
  }

  ended(service: number, version: 0 | 1, { atMs, durationMs, ownMs, isError, isOwnError }: Ended): void {
    this.#inFlight[service]!--
    this.services.count(service, atMs, durationMs, isError)
    this.own.count(service, atMs, ownMs, isOwnError)
    countArm(this.arms[service]![version], durationMs, isError)
  }
}
