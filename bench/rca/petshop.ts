import { createReadStream } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { Parser } from 'tar'
import type {
  CallLoads,
  Load,
  Mass,
  Period,
} from '../../services/meta-controller/analysis/root-cause/load.ts'

/** One incident of PetShop: what was wrong with whom, and who had caused it. */
export interface Issue {
  readonly name: string
  /** `train` or `test`. */
  readonly split: string
  readonly target: string
  readonly mass: Mass
  readonly rootCause: string
  readonly window: Period
}

/** A folder of PetShop that has a normal period. */
export interface Traffic {
  readonly name: string
  readonly normal: Period
  readonly issues: readonly Issue[]
}

/**
 * Reads `petshop.tar.gz`: `<traffic>/graph.csv`, `<traffic>/noissue/metrics.csv` and
 * `<traffic>/<split>/<issue>/{metrics.csv,target.json}`. Traffic without a normal period is left out, and named in `without`.
 */
export async function readPetShop(file: string): Promise<{ traffics: Traffic[]; without: string[] }> {
  const files = await filesOf(file)
  const roots = [...files.keys()].filter((name) => name.endsWith('/graph.csv')).map((name) => folderOf(name))
  const traffics: Traffic[] = []
  const without: string[] = []
  for (const root of roots.sort()) {
    const normal = files.get(`${root}/noissue/metrics.csv`)
    const name = root.split('/').at(-1)!
    if (normal === undefined) without.push(name)
    else traffics.push(trafficOf(name, root, files))
  }
  return { traffics, without }
}

const folderOf = (name: string) => name.slice(0, name.lastIndexOf('/'))

async function filesOf(file: string): Promise<Map<string, string>> {
  const files = new Map<string, string>()
  const reading: Promise<void>[] = []
  const parser = new Parser({
    onReadEntry: (entry) => {
      const name = entry.path.replace(/^\.\//, '')
      if (!/\.(csv|json)$/.test(name)) entry.resume()
      else reading.push(buffer(entry).then((bytes) => void files.set(name, bytes.toString('utf8'))))
    },
  })
  await pipeline(createReadStream(file), parser)
  await Promise.all(reading)
  return files
}

function trafficOf(name: string, root: string, files: ReadonlyMap<string, string>): Traffic {
  const calls = callsOf(files.get(`${root}/graph.csv`)!)
  const targets = [...files.keys()].filter(
    (path) => path.startsWith(`${root}/`) && path.endsWith('/target.json'),
  )
  return {
    name,
    normal: periodOf(files.get(`${root}/noissue/metrics.csv`)!, calls),
    issues: targets.sort().map((path) => issueOf(folderOf(path), files, calls)),
  }
}

interface Target {
  readonly target: { readonly node: string; readonly metric: 'latency' | 'availability' }
  readonly root_cause: { readonly node: string }
}

function issueOf(folder: string, files: ReadonlyMap<string, string>, calls: readonly CallLoads[]): Issue {
  const { target, root_cause } = JSON.parse(files.get(`${folder}/target.json`)!) as Target
  const [split, name] = folder.split('/').slice(-2) as [string, string]
  return {
    name,
    split,
    target: target.node,
    mass: target.metric === 'latency' ? 'latency' : 'errors',
    rootCause: root_cause.node,
    window: periodOf(files.get(`${folder}/metrics.csv`)!, calls),
  }
}

/** An adjacency matrix: a row for each caller, a column for each callee. */
function callsOf(text: string): CallLoads[] {
  const [[, ...callees] = [], ...rows] = cellsOf(text)
  return rows.flatMap(([caller = '', ...cells]) =>
    callees.filter((_, column) => Number(cells[column]) > 0).map((service) => ({ caller, service })),
  )
}

const headers = 4

/** A column for each node and metric, a row for each five minutes. Without requests there is neither latency nor failure. */
function periodOf(text: string, calls: readonly CallLoads[]): Period {
  const cells = cellsOf(text)
  const [nodes = [], metrics = [], statistics = []] = cells
  const columnOf = new Map<string, number>()
  for (const [column, node] of nodes.entries())
    columnOf.set(JSON.stringify([node, metrics[column], statistics[column]]), column)
  const rows = cells.slice(headers)
  const series = (node: string, metric: string, statistic: string) => {
    const column = columnOf.get(JSON.stringify([node, metric, statistic]))
    return rows.map((row) => (column === undefined || !row[column] ? Number.NaN : Number(row[column])))
  }
  const services = [...new Set(nodes.slice(1))].map((service) => {
    const requests = series(service, 'requests', 'Sum')
    const seconds = series(service, 'latency', 'Average')
    const available = series(service, 'availability', 'Average')
    const slots = rows.map((_, row) => loadOf(requests[row]!, seconds[row]!, available[row]!))
    return { service, slots, isProxy: /_(remote|client)$/.test(service) }
  })
  return { services, calls }
}

function loadOf(requests: number, seconds: number, available: number): Load {
  const counted = Number.isNaN(requests) ? 0 : requests
  const known = (value: number) => (Number.isNaN(value) ? 0 : value)
  return {
    requests: counted,
    requestSeconds: known(counted * seconds),
    failures: Number.isNaN(available) ? 0 : (counted * (100 - available)) / 100,
  }
}

function cellsOf(text: string): string[][] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.split(','))
}
