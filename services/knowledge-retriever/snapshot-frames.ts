import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { SnapshotError } from './snapshot.ts'

// A file of frames: `magic`, then for each frame its length, the digest of the digest before and of its bytes, and the bytes.
// The last frame is empty. So whatever is cut, changed or put in another order is noticed at the frame where it begins.

const magic = Buffer.from('nexus-knowledge-2\n')
const lengthBytes = 4
const digestBytes = 32
const headBytes = lengthBytes + digestBytes
const firstBytes = 1024 * 1024
/** A frame has some hundred passages, or one document. */
const maxFrameBytes = 64 * 1024 * 1024

/** Writes frames, each when the one before is written, and the empty one at the end; gives the bytes. Errors: what the file system says. */
export async function writeFrames(file: FileHandle, frames: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = (await file.write(magic)).bytesWritten
  let digest: Buffer = magic
  const write = async (frame: Uint8Array) => {
    digest = digestOf(digest, frame)
    const length = Buffer.alloc(lengthBytes)
    length.writeUInt32BE(frame.length)
    bytes += (await file.writev([length, digest, frame])).bytesWritten
  }
  for await (const frame of frames) await write(frame)
  await write(new Uint8Array(0))
  return bytes
}

/** Reads a file of frames. It may be closed between two frames, and goes on there when it is opened again. */
export class FrameReader {
  readonly #path: string
  #file: FileHandle | undefined
  /** For one frame after another. */
  #memory = Buffer.alloc(firstBytes)
  readonly #head = Buffer.alloc(headBytes)
  #position = magic.length
  #digest: Buffer = magic

  constructor(path: string) {
    this.#path = path
  }

  /** Gives false when there is no such file. Errors: SnapshotError. */
  async open(): Promise<boolean> {
    try {
      this.#file = await open(this.#path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw unreadable(this.#path, error)
    }
    if (!(await this.#read(0, Buffer.alloc(magic.length))).equals(magic))
      throw new SnapshotError('it is of another version')
    return true
  }

  /** The next frame, which is there until the one after it is asked for; the last is empty. Errors: SnapshotError. */
  async next(): Promise<Buffer> {
    const head = await this.#read(this.#position, this.#head)
    const length = head.readUInt32BE()
    if (length > maxFrameBytes) throw broken()
    if (length > this.#memory.length) this.#memory = Buffer.alloc(length * 2)
    const frame = await this.#read(this.#position + headBytes, this.#memory.subarray(0, length))
    const digest = digestOf(this.#digest, frame)
    if (!digest.equals(head.subarray(lengthBytes))) throw broken()
    this.#position += headBytes + length
    this.#digest = digest
    return frame
  }

  /** Idempotent. */
  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close()
  }

  async #read(position: number, buffer: Buffer): Promise<Buffer> {
    if (this.#file === undefined) throw new SnapshotError(`${this.#path} is gone`)
    try {
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, position)
      if (bytesRead === buffer.length) return buffer
    } catch (error) {
      throw unreadable(this.#path, error)
    }
    throw broken()
  }
}

function digestOf(before: Uint8Array, frame: Uint8Array): Buffer {
  return createHash('sha256').update(before).update(frame).digest()
}

function unreadable(path: string, error: unknown): SnapshotError {
  return new SnapshotError(`${path} cannot be read: ${(error as Error).message}`, { cause: error })
}

function broken(): SnapshotError {
  return new SnapshotError('its checksum does not fit: it was cut or changed')
}
