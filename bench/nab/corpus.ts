import { readFileSync } from 'node:fs'
import { Parser } from 'tar'
import { dataFile } from '../data.ts'

/** One file of the Numenta Anomaly Benchmark. */
export interface Series {
  /** Such as `realTraffic/speed_6005.csv`. */
  readonly name: string
  /** As the file has them; windows are matched by these texts. */
  readonly timestamps: readonly string[]
  /** Epoch milliseconds, read as UTC. */
  readonly atMs: Float64Array
  /** The values as texts, to be written as they were read. */
  readonly texts: readonly string[]
  readonly values: Float64Array
  /** Labelled anomalies: first and last row of each. */
  readonly windows: readonly Window[]
}

export interface Window {
  readonly first: number
  readonly last: number
}

const source = 'github numenta/NAB (MIT since commit ea702d7), as one archive of data/<category>/<name>.csv'

/** All series of `nab/series.tar.gz` with their windows from `nab/combined_windows.json`, by name. */
export async function readCorpus(): Promise<readonly Series[]> {
  const windows = JSON.parse(readFileSync(dataFile('nab/combined_windows.json', source), 'utf8')) as Record<
    string,
    [string, string][]
  >
  const texts = await readArchive(dataFile('nab/series.tar.gz', source))
  const all: Series[] = []
  for (const [path, text] of texts) {
    const name = path.replace(/^(\.\/)?data\//, '')
    if (name.endsWith('.csv')) all.push(seriesOf(name, text, windows[name] ?? []))
  }
  return all.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The texts of all files in a .tar.gz, by path. */
export async function readArchive(file: string): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>()
  const parser = new Parser({
    onReadEntry: (entry) => {
      const chunks: Buffer[] = []
      entry.on('data', (chunk: Buffer) => chunks.push(chunk))
      entry.on('end', () => {
        if (entry.type === 'File') texts.set(entry.path, Buffer.concat(chunks).toString('utf8'))
      })
    },
  })
  const ended = new Promise<void>((resolve, reject) => {
    parser.on('end', resolve)
    parser.on('error', reject)
  })
  parser.end(readFileSync(file))
  await ended
  return texts
}

/** Reads a file of `timestamp,value` rows under a header. A window whose bounds are no timestamp of the file is an error that names it. */
export function seriesOf(name: string, text: string, bounds: readonly (readonly [string, string])[]): Series {
  const rows = text
    .split(/\r?\n/)
    .slice(1)
    .filter((line) => line.includes(','))
    .map((line) => line.split(',') as [string, string])
  const timestamps = rows.map(([timestamp]) => timestamp)
  const texts = rows.map(([, value]) => value)
  return {
    name,
    timestamps,
    atMs: Float64Array.from(timestamps, (timestamp) => Date.parse(`${timestamp.replace(' ', 'T')}Z`)),
    texts,
    values: Float64Array.from(texts, Number),
    windows: bounds.map(([first, last]) => ({
      first: rowOf(name, timestamps, first),
      last: rowOf(name, timestamps, last),
    })),
  }
}

/** The first row with that time; the labels have fractions of seconds that the files lack. */
function rowOf(name: string, timestamps: readonly string[], bound: string): number {
  const row = timestamps.indexOf(bound.replace(/\.0+$/, ''))
  if (row < 0) throw new Error(`${name} has no row of ${bound}, which combined_windows.json names`)
  return row
}
