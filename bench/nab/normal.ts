import path from 'node:path'
import { weekMs } from '../../services/meta-controller/analysis/detection/alarm.ts'
import {
  createServiceWatch,
  type Reading,
  type ServiceWatch,
  type WatchedMetric,
} from '../../services/meta-controller/analysis/detection/watch.ts'
import { dataFile } from '../data.ts'
import { readArchive } from './corpus.ts'

const source = 'github amazon-science/petshop-root-cause-analysis, as one archive of its dataset folder'
const budgetPerWeek = 1
/** Not counted as watched: levels cannot be judged yet. */
const warmUpSlots = 100

const metrics: readonly WatchedMetric[] = [
  { name: 'requests', kind: 'count' },
  { name: 'errors', kind: 'count', direction: 'up' },
  { name: 'latency Average', kind: 'level', direction: 'up' },
  { name: 'latency p50', kind: 'level', direction: 'up' },
  { name: 'latency p99', kind: 'level', direction: 'up' },
]

/** A table of PetShop: a reading of each metric for each service and slot. */
interface Table {
  readonly atMs: readonly number[]
  readonly services: ReadonlyMap<string, readonly Readonly<Record<string, Reading>>[]>
}

/**
 * Watches every service of PetShop through its normal period with a budget of one false alarm per service-week, then through each
 * labelled incident. The figure is the alarms where nothing is wrong; that incidents are told only shows that the watch is not
 * deaf, since they were recorded at another time than the normal period.
 */
export async function normalOperation(print: (line: string) => void): Promise<Record<string, number>> {
  const texts = await readArchive(dataFile('petshop/petshop.tar.gz', source))
  let alarms = 0
  let weeks = 0
  print(`alarms on PetShop, budget ${budgetPerWeek} per service-week:`)
  for (const [file, text] of [...texts].filter(([name]) => name.endsWith('/noissue/metrics.csv')).sort()) {
    const folder = path.posix.dirname(path.posix.dirname(file))
    const normal = tableOf(text)
    const quiet = watchThrough(normal)
    const labelled = [...texts]
      .filter(([name]) => name.startsWith(`${folder}/`) && /\/issue_[^/]*\/metrics\.csv$/.test(name))
      .map(([, issue]) => tellsIncident(normal, tableOf(issue)))
    alarms += quiet.alarms
    weeks += quiet.weeks
    print(
      `  ${path.posix.basename(folder)}: ${quiet.alarms} alarms in ${quiet.weeks.toFixed(1)} service-weeks of ` +
        `normal operation; ${labelled.filter(Boolean).length} of ${labelled.length} incidents told (recorded months apart from it)`,
    )
  }
  return {
    petshop_false_alarms_per_service_week: weeks > 0 ? alarms / weeks : 0,
  }
}

function watchThrough(table: Table): { alarms: number; weeks: number } {
  const slotMs = slotOf(table.atMs)
  let alarms = 0
  for (const slots of table.services.values()) alarms += alarmsOf(watchFor(slotMs), slots, table.atMs)
  const watched = Math.max(0, table.atMs.length - warmUpSlots)
  return { alarms, weeks: (table.services.size * watched * slotMs) / weekMs }
}

function watchFor(slotMs: number): ServiceWatch {
  return createServiceWatch({ budgetPerWeek, slotMs, metrics })
}

function alarmsOf(
  watch: ServiceWatch,
  slots: readonly Readonly<Record<string, Reading>>[],
  atMs: readonly number[],
): number {
  let alarms = 0
  slots.forEach((readings, index) => {
    if (watch.update(readings, atMs[index]!).alarm) alarms += 1
  })
  return alarms
}

/** The normal period first, then the incident at the same step: it is told when any service alarms in it. */
function tellsIncident(normal: Table, issue: Table): boolean {
  const slotMs = slotOf(normal.atMs)
  const resume = (normal.atMs.at(-1) ?? 0) + slotMs
  for (const [service, slots] of issue.services) {
    const before = normal.services.get(service)
    if (before === undefined) continue
    const watch = watchFor(slotMs)
    alarmsOf(watch, before, normal.atMs)
    const atMs = slots.map((_, index) => resume + index * slotMs)
    if (alarmsOf(watch, slots, atMs) > 0) return true
  }
  return false
}

function slotOf(atMs: readonly number[]): number {
  const steps = atMs.slice(1).map((at, index) => at - atMs[index]!)
  return steps.toSorted((a, b) => a - b)[steps.length >> 1] ?? 300_000
}

const headers = 4

/** Four header lines (node, metric, statistic, the word unix_timestamp), then a row for each slot. */
function tableOf(text: string): Table {
  const cells = text
    .trim()
    .split(/\r?\n/)
    .map((line) => line.split(','))
  const [nodes = [], names = [], statistics = []] = cells
  const rows = cells.slice(headers)
  const columns = new Map<string, Map<string, number>>()
  nodes.forEach((node, column) => {
    if (column === 0) return
    const own = columns.get(node) ?? new Map<string, number>()
    own.set(`${names[column]} ${statistics[column]}`, column)
    columns.set(node, own)
  })
  const services = new Map(
    [...columns].map(([node, own]) => [node, rows.map((row) => readingsOf(row, own))] as const),
  )
  return { atMs: rows.map((row) => Number(row[0]) * 1000), services }
}

/** Availability is a percentage of the requests; without requests nothing else is known. */
function readingsOf(row: readonly string[], columns: ReadonlyMap<string, number>): Record<string, Reading> {
  const numberOf = (name: string): number | undefined => {
    const cell = row[columns.get(name) ?? -1]
    return cell === undefined || cell === '' ? undefined : Number(cell)
  }
  const requests = numberOf('requests Sum')
  const available = numberOf('availability Average')
  const errors =
    requests === undefined || available === undefined
      ? undefined
      : { events: (requests * Math.max(0, 100 - available)) / 100, exposure: requests }
  return {
    requests: requests ?? 0,
    errors,
    'latency Average': numberOf('latency Average'),
    'latency p50': numberOf('latency p50'),
    'latency p99': numberOf('latency p99'),
  }
}
