import { createHash } from 'node:crypto'

/** Numbers from 0 to below 1 that follow from a text alone (SHA-256 in counter mode), so that a comparison can be repeated. */
export function seededRandom(seedText: string): () => number {
  let counter = 0
  let block = Buffer.alloc(0)
  let offset = 0
  return () => {
    if (offset + 4 > block.length) {
      block = createHash('sha256').update(`${seedText}:${counter++}`).digest()
      offset = 0
    }
    const value = block.readUInt32BE(offset) / 2 ** 32
    offset += 4
    return value
  }
}
