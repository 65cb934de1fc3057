import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { deserialize, serialize } from 'node:v8'
import type { EntityKey } from './entities.ts'
import { SnapshotError } from './snapshot.ts'

/** What is in memory, so that a start need not read every document again. The truth is the store. */
export interface KnowledgeImage {
  readonly graph: Uint8Array
  /** Of every document in the graph. */
  readonly hashes: ReadonlyMap<string, string>
  readonly merged: ReadonlyMap<EntityKey, EntityKey>
}

interface Header {
  readonly code: string
  readonly graphDigest: string
  readonly hashes: ReadonlyMap<string, string>
  readonly merged: ReadonlyMap<EntityKey, EntityKey>
}

const magic = Buffer.from('nexus-knowledge-1\n')
const digestBytes = 32
const lengthBytes = 4

/** A snapshot in a file, which is written whole or not at all. */
export class SnapshotFile {
  readonly path: string

  constructor(file: string) {
    this.path = file
  }

  /** The snapshot, or undefined when there is none. Errors: SnapshotError when there is one that cannot be used. */
  async read(): Promise<KnowledgeImage | undefined> {
    let bytes: Buffer
    try {
      bytes = await readFile(this.path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw new SnapshotError(`${this.path} cannot be read: ${(error as Error).message}`, { cause: error })
    }
    const { header, graph } = unpack(bytes)
    if (header.code !== codeDigest()) throw new SnapshotError('it was taken by another version of the code')
    return { graph, hashes: header.hashes, merged: header.merged }
  }

  /** Writes it beside the old one and puts it in its place. Errors: what the file system says. */
  async write({ graph, hashes, merged }: KnowledgeImage): Promise<void> {
    await mkdir(path.dirname(this.path), { recursive: true, mode: 0o700 })
    const header = serialize({
      code: codeDigest(),
      graphDigest: digest(graph).toString('hex'),
      hashes,
      merged,
    })
    const length = Buffer.alloc(lengthBytes)
    length.writeUInt32BE(header.length)
    const beside = `${this.path}.new`
    try {
      const file = await open(beside, 'w', 0o600)
      try {
        await file.writev([magic, length, digest(header), header, graph])
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(beside, this.path)
    } catch (error) {
      await rm(beside, { force: true })
      throw error
    }
  }
}

function unpack(bytes: Buffer): { header: Header; graph: Buffer } {
  const start = magic.length + lengthBytes + digestBytes
  if (bytes.length < start || !bytes.subarray(0, magic.length).equals(magic)) {
    throw new SnapshotError('it is of another version')
  }
  const end = start + bytes.readUInt32BE(magic.length)
  const packed = bytes.subarray(start, end)
  const isWhole = digest(packed).equals(bytes.subarray(magic.length + lengthBytes, start))
  if (!isWhole) throw new SnapshotError('its checksum does not fit: it was cut or changed')
  const header = deserialize(packed) as Header
  const graph = bytes.subarray(end)
  if (digest(graph).toString('hex') !== header.graphDigest) {
    throw new SnapshotError('its checksum does not fit: it was cut or changed')
  }
  return { header, graph }
}

function digest(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
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
