import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { deserialize, serialize } from 'node:v8'
import type { EntityKey } from './entities.ts'
import { SnapshotError } from './snapshot.ts'
import { FrameReader, writeFrames } from './snapshot-frames.ts'

/** What is in memory, so that a start need not read every document again. The truth is the store. */
export interface KnowledgeImage {
  /** In parts; see `KnowledgeGraph.snapshot`. */
  readonly graph: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
  /** Of every document in the graph. */
  readonly hashes: ReadonlyMap<string, string>
  readonly merged: ReadonlyMap<EntityKey, EntityKey>
}

interface Header {
  readonly code: string
  /** In so many frames are the hashes, before those of the graph. */
  readonly hashFrames: number
  readonly merged: ReadonlyMap<EntityKey, EntityKey>
}

const hashesInFrame = 4_096

/** A snapshot in a file, which is written whole or not at all, and neither written nor read in one go. */
export class SnapshotFile {
  readonly path: string

  constructor(file: string) {
    this.path = file
  }

  /**
   * The snapshot, or undefined when there is none; its graph is read when it is asked for.
   * Errors, then too: SnapshotError when there is one that cannot be used.
   */
  async read(): Promise<KnowledgeImage | undefined> {
    const reader = new FrameReader(this.path)
    try {
      if (!(await reader.open())) return undefined
      const header = deserialize(await reader.next()) as Header
      if (header.code !== codeDigest()) throw new SnapshotError('it was taken by another version of the code')
      const hashes = new Map<string, string>()
      for (let frame = 0; frame < header.hashFrames; frame += 1) {
        for (const [id, hash] of deserialize(await reader.next()) as [string, string][]) hashes.set(id, hash)
      }
      return { graph: restOf(reader), hashes, merged: header.merged }
    } finally {
      await reader.close()
    }
  }

  /** Writes it beside the old one and puts it in its place; gives its size in bytes. Errors: what the file system says; those of the graph's parts. */
  async write(image: KnowledgeImage): Promise<number> {
    await mkdir(path.dirname(this.path), { recursive: true, mode: 0o700 })
    const beside = `${this.path}.new`
    try {
      const file = await open(beside, 'w', 0o600)
      let bytes: number
      try {
        bytes = await writeFrames(file, framesOf(image))
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(beside, this.path)
      return bytes
    } catch (error) {
      await rm(beside, { force: true })
      throw error
    }
  }
}

async function* framesOf({ graph, hashes, merged }: KnowledgeImage): AsyncGenerator<Uint8Array> {
  const entries = [...hashes]
  const hashFrames = Math.ceil(entries.length / hashesInFrame)
  const header: Header = { code: codeDigest(), hashFrames, merged }
  yield serialize(header)
  for (let frame = 0; frame < hashFrames; frame += 1) {
    yield serialize(entries.slice(frame * hashesInFrame, (frame + 1) * hashesInFrame))
  }
  yield* graph
}

async function* restOf(reader: FrameReader): AsyncGenerator<Uint8Array> {
  try {
    await reader.open()
    for (;;) {
      const frame = await reader.next()
      if (frame.length === 0) return
      yield frame
    }
  } finally {
    await reader.close()
  }
}

let ownDigest: string | undefined

/** Changes with every change of the code that makes the graph: what an older code has made is not what this one would make. */
function codeDigest(): string {
  ownDigest ??= digestOfCode()
  return ownDigest
}

function digestOfCode(): string {
  const folder = import.meta.dirname
  const isOwn = (file: string) => /\.ts$/.test(file) && !/\.(test|testing|contract)\.ts$/.test(file)
  const files = readdirSync(folder)
    .filter(isOwn)
    .sort()
    .map((file) => path.join(folder, file))
  const hash = createHash('sha256').update(process.version)
  for (const file of [...files, path.join(folder, '..', 'platform', 'text.ts')])
    hash.update(readFileSync(file))
  return hash.digest('hex')
}
