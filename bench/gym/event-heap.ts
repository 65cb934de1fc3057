/**
 * Events by time: a four-ary heap over typed arrays. An event is a kind, the number of the thing that it is about and that thing's
 * generation, by which an event for something that has ended since is known and passed over.
 * Events of the same moment come in an order that follows from the order of all pushes and pops alone.
 */
export class EventHeap {
  #size = 0
  #times = new Float64Array(1024)
  #things = new Int32Array(1024)
  #generations = new Int32Array(1024)
  /** Of the event that `pop` took last. */
  atMs = 0
  kind = 0
  thing = 0
  generation = 0

  get size(): number {
    return this.#size
  }

  /** Time of the next event; Infinity when there is none. */
  get nextMs(): number {
    return this.#size === 0 ? Infinity : this.#times[0]!
  }

  /** `kind` is 0 to 7, `thing` below 2^28. */
  push(atMs: number, kind: number, thing: number, generation: number): void {
    if (this.#size === this.#times.length) this.#grow()
    const times = this.#times
    let index = this.#size++
    while (index > 0) {
      const parent = (index - 1) >> 2
      if (times[parent]! <= atMs) break
      this.#move(parent, index)
      index = parent
    }
    this.#put(index, atMs, (thing << 3) | kind, generation)
  }

  /** Takes the next event into `atMs`, `kind`, `thing` and `generation`; false when there is none. */
  pop(): boolean {
    if (this.#size === 0) return false
    this.atMs = this.#times[0]!
    this.kind = this.#things[0]! & 7
    this.thing = this.#things[0]! >>> 3
    this.generation = this.#generations[0]!
    const last = --this.#size
    if (last > 0) this.#sink(this.#times[last]!, this.#things[last]!, this.#generations[last]!)
    return true
  }

  #sink(atMs: number, thing: number, generation: number): void {
    const times = this.#times
    const size = this.#size
    let index = 0
    for (;;) {
      const first = (index << 2) + 1
      if (first >= size) break
      let least = first
      const end = Math.min(first + 4, size)
      for (let child = first + 1; child < end; child++) if (times[child]! < times[least]!) least = child
      if (times[least]! >= atMs) break
      this.#move(least, index)
      index = least
    }
    this.#put(index, atMs, thing, generation)
  }

  #put(index: number, atMs: number, thing: number, generation: number): void {
    this.#times[index] = atMs
    this.#things[index] = thing
    this.#generations[index] = generation
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from]!
    this.#things[to] = this.#things[from]!
    this.#generations[to] = this.#generations[from]!
  }

  #grow(): void {
    const size = this.#times.length * 2
    const [times, things, generations] = [this.#times, this.#things, this.#generations]
    this.#times = new Float64Array(size)
    this.#times.set(times)
    this.#things = new Int32Array(size)
    this.#things.set(things)
    this.#generations = new Int32Array(size)
    this.#generations.set(generations)
  }
}
