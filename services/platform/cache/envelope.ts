/** How a result becomes bytes and back. */
export interface Codec<Result> {
  encode(result: Result): Uint8Array
  decode(bytes: Uint8Array): Result
}

/** What is stored for a result: the result, and until when it is fresh by the wall clock, which processes share. */
export interface Envelope<Result> {
  readonly freshUntilMs: number
  readonly ttlMs: number
  readonly result: Result
}

const headerBytes = 16

/** JSON; no bytes at all stand for `undefined`. */
export function jsonCodec<Result>(): Codec<Result> {
  return {
    encode: (result) => Buffer.from(result === undefined ? '' : JSON.stringify(result)),
    decode: (bytes) => {
      const text = Buffer.from(bytes).toString()
      return (text === '' ? undefined : JSON.parse(text)) as Result
    },
  }
}

/** Two 64-bit floats (freshUntilMs, ttlMs), then the codec's bytes. */
export function pack<Result>(envelope: Envelope<Result>, codec: Codec<Result>): Uint8Array {
  const header = Buffer.alloc(headerBytes)
  header.writeDoubleBE(envelope.freshUntilMs, 0)
  header.writeDoubleBE(envelope.ttlMs, 8)
  return Buffer.concat([header, codec.encode(envelope.result)])
}

/** Undefined when the bytes cannot be read, as after a change of the codec: then it is a miss. */
export function unpack<Result>(bytes: Uint8Array, codec: Codec<Result>): Envelope<Result> | undefined {
  if (bytes.byteLength < headerBytes) return undefined
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, headerBytes)
  try {
    return {
      freshUntilMs: header.readDoubleBE(0),
      ttlMs: header.readDoubleBE(8),
      result: codec.decode(bytes.subarray(headerBytes)),
    }
  } catch {
    return undefined
  }
}
