import { setImmediate as nextTurn } from 'node:timers/promises'

/** The vectors of a document's passages in their order, each of length 1, by the model that made them. */
export interface DocumentVectors {
  readonly model: string
  readonly vectors: readonly Float32Array[]
}

/** A passage that is near to a vector. */
export interface NearPassage {
  /** As in the graph: `<document id>#<index>`. */
  readonly passageId: string
  /** 1 is the same direction. */
  readonly cosine: number
}

const headerBytes = 12
const floatBytes = 4
/** Nobody else gets a word in for longer than this while vectors are compared. */
const maxBusyMs = 10

/** As a store keeps them: lengths of the model's name and of a vector, count of vectors; the name; the vectors, little-endian. */
export function packVectors({ model, vectors }: DocumentVectors): Uint8Array {
  const name = Buffer.from(model)
  const length = vectors[0]?.length ?? 0
  const bytes = Buffer.alloc(headerBytes + name.length + vectors.length * length * floatBytes)
  bytes.writeUInt32LE(name.length, 0)
  bytes.writeUInt32LE(length, 4)
  bytes.writeUInt32LE(vectors.length, 8)
  name.copy(bytes, headerBytes)
  let at = headerBytes + name.length
  for (const vector of vectors) {
    for (const value of vector) at = bytes.writeFloatLE(value, at)
  }
  return new Uint8Array(bytes)
}

/** Reads what `packVectors` wrote. Errors: RangeError when it is cut. */
export function unpackVectors(packed: Uint8Array): DocumentVectors {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength)
  const [nameLength, length, count] = [bytes.readUInt32LE(0), bytes.readUInt32LE(4), bytes.readUInt32LE(8)]
  const model = bytes.toString('utf8', headerBytes, headerBytes + nameLength)
  let at = headerBytes + nameLength
  const vectors = Array.from({ length: count }, () => {
    const vector = new Float32Array(length)
    for (let index = 0; index < length; index += 1, at += floatBytes) vector[index] = bytes.readFloatLE(at)
    return vector
  })
  return { model, vectors }
}

/** The same direction with length 1; all zeros stay. */
export function unitVector(values: readonly number[]): Float32Array {
  const length = Math.hypot(...values)
  return Float32Array.from(values, (value) => (length > 0 ? value / length : 0))
}

/** The vectors of passages in memory, compared one by one: exact, and quick enough for some ten thousand passages. */
export class VectorIndex {
  readonly #documents = new Map<string, DocumentVectors>()
  readonly #leftOut = new Set<string>()
  readonly #maxBytes: number
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** So many documents have vectors for which there was no room. */
  get leftOut(): number {
    return this.#leftOut.size
  }

  /** Undefined when it has none here. */
  modelOf(documentId: string): string | undefined {
    const known = this.#documents.get(documentId)
    return known === undefined || known.vectors.length === 0 ? undefined : known.model
  }

  /** Puts the vectors of a document in place of those that it had; false when there is no room. */
  set(documentId: string, packed: Uint8Array): boolean {
    this.delete(documentId)
    if (this.#bytes + packed.byteLength > this.#maxBytes) {
      this.#leftOut.add(documentId)
      return false
    }
    const vectors = unpackVectors(packed)
    this.#documents.set(documentId, vectors)
    this.#bytes += bytesOf(documentId, vectors)
    return true
  }

  delete(documentId: string): void {
    this.#leftOut.delete(documentId)
    const known = this.#documents.get(documentId)
    if (known === undefined) return
    this.#documents.delete(documentId)
    this.#bytes -= bytesOf(documentId, known)
  }

  /** The passages nearest to a vector of length 1, among those whose vectors the same model has made, nearest first. */
  async nearest(model: string, vector: Float32Array, count: number): Promise<NearPassage[]> {
    const near: NearPassage[] = []
    let sinceMs = performance.now()
    for (const [documentId, document] of this.#documents) {
      if (document.model === model) {
        document.vectors.forEach((each, index) => {
          const cosine = dot(each, vector)
          if (cosine > 0) insert(near, { passageId: `${documentId}#${index}`, cosine }, count)
        })
      }
      if (performance.now() - sinceMs < maxBusyMs) continue
      await nextTurn()
      sinceMs = performance.now()
    }
    return near
  }
}

function bytesOf(documentId: string, { model, vectors }: DocumentVectors): number {
  return documentId.length + model.length + vectors.reduce((sum, { byteLength }) => sum + byteLength, 0)
}

/** 0 for vectors of different lengths. */
function dot(left: Float32Array, right: Float32Array): number {
  if (left.length !== right.length) return 0
  let sum = 0
  for (let at = 0; at < left.length; at += 1) sum += (left[at] as number) * (right[at] as number)
  return sum
}

/** Keeps the best in order; ties by id. */
function insert(near: NearPassage[], one: NearPassage, count: number): void {
  const isBefore = (other: NearPassage) =>
    one.cosine > other.cosine || (one.cosine === other.cosine && one.passageId < other.passageId)
  const last = near.at(-1)
  if (near.length === count && last !== undefined && !isBefore(last)) return
  let at = near.length
  while (at > 0 && isBefore(near[at - 1] as NearPassage)) at -= 1
  near.splice(at, 0, one)
  if (near.length > count) near.pop()
}
