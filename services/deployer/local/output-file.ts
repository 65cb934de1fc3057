import { closeSync, openSync, renameSync, writeSync } from 'node:fs'

/** A version's output is kept in two files of this size at most: the one being written and the one before. */
const maxFileBytes = 1024 * 1024
const maxTailBytes = 2 * 1024
const maxTailLines = 12

/** What a process prints, in a file that does not grow beyond its bound, and its end for messages. */
export class OutputFile {
  readonly #path: string
  #file: number
  #bytes = 0
  #tail = Buffer.alloc(0)

  /** Begins the file anew. */
  constructor(path: string) {
    this.#path = path
    this.#file = openSync(path, 'w')
  }

  write(chunk: Buffer): void {
    this.#tail = Buffer.concat([this.#tail, chunk]).subarray(-maxTailBytes)
    if (this.#bytes + chunk.byteLength > maxFileBytes) this.#turn()
    writeSync(this.#file, chunk.subarray(0, maxFileBytes))
    this.#bytes += chunk.byteLength
  }

  /** The last lines. */
  tail(): string {
    return this.#tail.toString('utf8').trimEnd().split('\n').slice(-maxTailLines).join('\n')
  }

  close(): void {
    closeSync(this.#file)
  }

  #turn(): void {
    closeSync(this.#file)
    renameSync(this.#path, `${this.#path}.1`)
    this.#file = openSync(this.#path, 'w')
    this.#bytes = 0
  }
}
