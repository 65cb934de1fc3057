import { grown, grownFloats } from './pools.ts'

/** The clients' requests that are under way, each kept until the last work for it has ended. */
export class Requests {
  readonly #services: number
  #free: number[] = []
  #capacity = 0
  #holds = new Int32Array(0)
  /** By row and service: tries that reached it. */
  #tries = new Int32Array(0)
  /** Number of the arrival. */
  arrival = new Float64Array(0)
  entry = new Int32Array(0)
  key = new Int32Array(0)

  constructor(services: number) {
    this.#services = services
  }

  /** The row of a new request that nothing holds yet. */
  begin(arrival: number, entry: number, key: number): number {
    const row = this.#free.pop() ?? this.#grow()
    this.arrival[row] = arrival
    this.entry[row] = entry
    this.key[row] = key
    this.#holds[row] = 0
    this.#tries.fill(0, row * this.#services, (row + 1) * this.#services)
    return row
  }

  hold(row: number): void {
    this.#holds[row]!++
  }

  release(row: number): void {
    if (--this.#holds[row]! === 0) this.#free.push(row)
  }

  /** Tries that have reached the service for this request, this one among them. */
  countTry(row: number, service: number): number {
    return ++this.#tries[row * this.#services + service]!
  }

  #grow(): number {
    const from = this.#capacity
    this.#capacity = Math.max(256, from * 2)
    this.arrival = grownFloats(this.arrival, this.#capacity)
    this.entry = grown(this.entry, this.#capacity)
    this.key = grown(this.key, this.#capacity)
    this.#holds = grown(this.#holds, this.#capacity)
    this.#tries = grown(this.#tries, this.#capacity * this.#services)
    for (let row = this.#capacity - 1; row > from; row--) this.#free.push(row)
    return from
  }
}
