import { AlarmPolicy, alarmProbability } from './alarm.ts'
import { type Direction, scoreOf } from './anomaly.ts'
import { CountWatch } from './count-watch.ts'
import type { Count } from './counts.ts'
import { SeriesWatch } from './series-watch.ts'

/** `level`: a number per slot, such as a latency. `count`: events of an exposure, such as errors of requests, or requests of 1 slot. */
export interface WatchedMetric {
  readonly name: string
  readonly kind: 'level' | 'count'
  /** Which way is worth an alarm; `both` unless told. */
  readonly direction?: Direction
}

export interface WatchOptions {
  /** False alarms a week that normal operation may cost, over all metrics together. */
  readonly budgetPerWeek: number
  /** Time between two updates. */
  readonly slotMs: number
  readonly metrics: readonly WatchedMetric[]
  /** Silence after an alarm; an hour's slots unless told. */
  readonly restSlots?: number
}

/** A number for a level (or for a count of exposure 1), events and exposure for a count; undefined when the slot has none. */
export type Reading = number | Count | undefined

export interface MetricVerdict {
  readonly metric: string
  /** Of this metric alone, one slot; 1 when nothing can be told. */
  readonly pValue: number
  readonly score: number
  readonly value: number
  readonly reference: number
}

export interface ServiceVerdict {
  /** Told once, then silence for the rest period. */
  readonly alarm: boolean
  /** Of the service: the smallest of its metrics, times their number. */
  readonly pValue: number
  readonly score: number
  /** Most unusual first. */
  readonly metrics: readonly MetricVerdict[]
}

export interface ServiceWatch {
  /** `readings` by the metrics' names; `atMs` epoch milliseconds, ascending. */
  update(readings: Readonly<Record<string, Reading>>, atMs: number): ServiceVerdict
}

const restMs = 3_600_000

/**
 * Watches the metrics of one service as they come, slot by slot, and raises at most `budgetPerWeek` alarms a week while
 * nothing is wrong. The budget sets the probability, the detectors set the p-values; nothing is a threshold on a metric.
 * Example: slots of a minute with 50 requests and 1 % errors; when a tenth fails, an alarm with `errors` first within ten slots.
 */
export function createServiceWatch(options: WatchOptions): ServiceWatch {
  const { budgetPerWeek, slotMs, metrics } = options
  const streams = metrics.map((metric) => ({ metric, stream: streamOf(metric) }))
  const restSlots = options.restSlots ?? Math.ceil(restMs / slotMs)
  const probability = alarmProbability({ perWeek: budgetPerWeek, slotMs, metrics: 1 })
  const policy = new AlarmPolicy(scoreOf(probability), { slots: restSlots, share: 0 })
  return {
    update(readings, atMs) {
      const verdicts = streams.map(({ metric, stream }) => {
        const told = stream(readings[metric.name], atMs)
        return { metric: metric.name, ...told, score: scoreOf(told.pValue) }
      })
      const least = verdicts.reduce((smallest, { pValue }) => Math.min(smallest, pValue), 1)
      const pValue = Math.min(1, least * metrics.length)
      const score = scoreOf(pValue)
      const alarm = policy.update(score)
      return {
        alarm,
        pValue,
        score,
        metrics: verdicts.toSorted((a, b) => a.pValue - b.pValue),
      }
    },
  }
}

type Stream = (reading: Reading, atMs: number) => { pValue: number; value: number; reference: number }

function streamOf({ kind, direction = 'both' }: WatchedMetric): Stream {
  if (kind === 'count') {
    const watch = new CountWatch(direction)
    return (reading) =>
      watch.update(typeof reading === 'object' ? reading : { events: reading ?? Number.NaN, exposure: 1 })
  }
  const watch = new SeriesWatch({ tier: 'fast', direction })
  return (reading, atMs) => watch.update(typeof reading === 'number' ? reading : Number.NaN, atMs)
}
