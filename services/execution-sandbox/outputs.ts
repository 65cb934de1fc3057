import type { Readable } from 'node:stream'
import { Parser, type ReadEntry } from 'tar'
import type { OutputFile } from './execution.ts'

/** Files brought back per execution, as execution.proto has it. */
export const maxOutputFiles = 64
/** Bytes brought back per execution, so that a verdict fits in one message of the chassis (4 MiB). */
export const maxOutputFileBytes = 3 * 1024 ** 2

/** What a scratch folder held of the wanted files; `complete` is false when there was more than may be brought back. */
export interface Collected {
  readonly files: readonly OutputFile[]
  readonly complete: boolean
}

/**
 * Picks the wanted files from a tar stream of the scratch folder. Takes regular files only: no link, device or socket
 * comes out, and no path leaves the folder. Reads at most `maxStreamBytes`, then gives up on the stream, because a
 * sparse file costs its writer nothing.
 */
export async function collectOutputs(
  stream: Readable,
  wanted: readonly string[],
  maxStreamBytes: number,
): Promise<Collected> {
  const files: OutputFile[] = []
  let complete = true
  let keptBytes = 0
  const parser = new Parser({ strict: false, onReadEntry: (entry) => take(entry) })

  function take(entry: ReadEntry): void {
    const path = entry.path.replace(/^(\.\/)+/, '')
    const isWanted = (entry.type === 'File' || entry.type === 'OldFile') && matches(path, wanted)
    if (!isWanted) return void entry.resume()
    if (files.length >= maxOutputFiles || keptBytes + entry.size > maxOutputFileBytes) {
      complete = false
      return void entry.resume()
    }
    keptBytes += entry.size
    const chunks: Uint8Array[] = []
    entry.on('data', (chunk: Uint8Array) => chunks.push(chunk))
    entry.on('end', () => files.push({ path, content: Buffer.concat(chunks) }))
  }

  const parsed = new Promise<void>((resolve) => {
    parser.on('end', resolve)
    parser.on('abort', resolve)
    parser.on('error', () => {
      complete = false
      resolve()
    })
  })
  let readBytes = 0
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      readBytes += chunk.length
      if (readBytes > maxStreamBytes) {
        complete = false
        break
      }
      parser.write(chunk)
    }
  } catch {
    complete = false // The stream was cut: the run was ended.
  }
  parser.end()
  await parsed
  stream.destroy()
  return { files: files.sort((a, b) => (a.path < b.path ? -1 : 1)), complete }
}

/** Whether a path relative to the scratch folder is asked for; `folder/*` means the files right in it. */
export function matches(path: string, wanted: readonly string[]): boolean {
  if (path.split('/').some((part) => part === '' || part === '.' || part === '..')) return false
  return wanted.some((pattern) => {
    if (!pattern.endsWith('/*')) return path === pattern
    const folder = pattern.slice(0, -1)
    return path.startsWith(folder) && !path.slice(folder.length).includes('/')
  })
}
