import { existsSync } from 'node:fs'
import path from 'node:path'

/** A benchmark's data set is not here; the message says where the public can get it. The benchmark is skipped with it. */
export class MissingDataError extends Error {
  override readonly name = 'MissingDataError'
}

/** Where the data sets lie: `NEXUS_BENCH_DATA`, or a folder beside the project. They are never committed. */
export function dataFolder(): string {
  return path.resolve(process.env.NEXUS_BENCH_DATA ?? path.join(import.meta.dirname, '../../shared/data'))
}

/**
 * The path of a file of a data set, such as `dataFile('nab/series.tar.gz', 'github numenta/NAB')`.
 * Errors: MissingDataError with the source, when it is not there.
 */
export function dataFile(name: string, source: string): string {
  const file = path.join(dataFolder(), name)
  if (existsSync(file)) return file
  throw new MissingDataError(
    `${file} is not there: get it from ${source}, or set NEXUS_BENCH_DATA to the folder that has it`,
  )
}
