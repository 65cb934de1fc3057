import { parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { type Indicator, understandIndicator } from './indicator.ts'

/** A service level objective as the governor computes it. */
export interface Objective {
  /** The document's metadata.name. */
  readonly name: string
  readonly indicator: Indicator
  /** Share of good requests that is promised, between 0 and 1. */
  readonly target: number
  /** Length of the rolling window, in seconds. */
  readonly windowS: number
}

/** A document that is not understood. The message names the document and the field, and says what to write. */
export class OpenSloError extends Error {
  override readonly name = 'OpenSloError'
}

const maxWindowS = 366 * 86_400
const unitSeconds: Readonly<Record<string, number>> = {
  m: 60,
  h: 3_600,
  d: 86_400,
  w: 604_800,
  M: 2_592_000,
  Q: 7_776_000,
  Y: 31_536_000,
}

const metadata = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/, 'must be lower-case letters, digits and -'),
  displayName: z.string().optional(),
  labels: z.record(z.string(), z.union([z.string(), z.array(z.string())])).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
})

const metricSource = z.strictObject({
  metricSource: z.strictObject({
    metricSourceRef: z.string().optional(),
    type: z.literal('Prometheus', 'must be Prometheus, no other source is understood'),
    spec: z.strictObject({ query: z.string().min(1) }),
  }),
})

const shape = z.strictObject({
  apiVersion: z.literal('openslo/v1'),
  kind: z.literal('SLO', 'must be SLO, no other kind is understood'),
  metadata,
  spec: z.strictObject({
    description: z.string().optional(),
    service: z.string().min(1),
    indicator: z.strictObject({
      metadata: metadata.partial().optional(),
      spec: z.strictObject({
        description: z.string().optional(),
        ratioMetric: z.strictObject({
          counter: z.literal(true, 'must be true: the metrics are counters'),
          good: metricSource,
          total: metricSource,
        }),
      }),
    }),
    timeWindow: z.tuple([
      z.strictObject({
        duration: z.string(),
        isRolling: z.literal(true, 'must be true, only rolling windows are understood'),
      }),
    ]),
    budgetingMethod: z.literal('Occurrences', 'must be Occurrences, no other method is understood'),
    objectives: z.tuple([
      z.strictObject({
        displayName: z.string().optional(),
        target: z.number().gt(0).lt(1).optional(),
        targetPercent: z.number().gt(0).lt(100).optional(),
      }),
    ]),
    alertPolicies: z.array(z.unknown()).optional(),
  }),
})

/** Reads OpenSLO v1 documents, each YAML or JSON text: all of them or none. Errors: OpenSloError. */
export function parseObjectives(documents: readonly string[]): Objective[] {
  const objectives = documents.map((text, index) => parseObjective(text, `document ${index + 1}`))
  const names = new Set<string>()
  for (const { name } of objectives) {
    if (names.has(name)) throw new OpenSloError(`${name}: two documents have this metadata.name`)
    names.add(name)
  }
  return objectives
}

function parseObjective(text: string, position: string): Objective {
  const value = readYaml(text, position)
  const name = (value as { metadata?: { name?: unknown } } | null)?.metadata?.name
  const place = typeof name === 'string' ? `${position} (${name.slice(0, 100)})` : position
  const parsed = shape.safeParse(value)
  if (!parsed.success) throw new OpenSloError(`${place}: ${parsed.error.issues.map(wordsOf).join('; ')}`)
  const { spec } = parsed.data
  return {
    name: parsed.data.metadata.name,
    indicator: indicatorOf(spec.indicator.spec.ratioMetric, place),
    target: targetOf(spec.objectives[0], place),
    windowS: windowOf(spec.timeWindow[0].duration, place),
  }
}

function readYaml(text: string, position: string): unknown {
  const documents = parseAllDocuments(text)
  const [document] = documents
  if (documents.length !== 1 || !document || !('errors' in document)) {
    throw new OpenSloError(`${position}: it must hold exactly one document`)
  }
  const [error] = document.errors
  if (error) throw new OpenSloError(`${position}: ${error.message.split('\n')[0]}`)
  try {
    return document.toJS({ maxAliasCount: 20 })
  } catch (cause) {
    throw new OpenSloError(`${position}: ${(cause as Error).message}`, { cause })
  }
}

function wordsOf(issue: z.core.$ZodIssue): string {
  const field = issue.path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '')
  return `${field || 'the whole'}: ${issue.message}`
}

type Ratio = z.infer<typeof shape>['spec']['indicator']['spec']['ratioMetric']

function indicatorOf({ good, total }: Ratio, place: string): Indicator {
  try {
    return understandIndicator({ good: good.metricSource.spec.query, total: total.metricSource.spec.query })
  } catch (cause) {
    const [side, ...words] = (cause as Error).message.split(': ')
    const field = `spec.indicator.spec.ratioMetric.${side}.metricSource.spec.query`
    throw new OpenSloError(`${place}: ${field}: ${words.join(': ')}`, { cause })
  }
}

function targetOf(
  { target, targetPercent }: { target?: number; targetPercent?: number },
  place: string,
): number {
  if ((target === undefined) === (targetPercent === undefined)) {
    throw new OpenSloError(`${place}: spec.objectives[0]: give either target or targetPercent`)
  }
  return target ?? (targetPercent ?? 0) / 100
}

function windowOf(duration: string, place: string): number {
  const [, count, unit] = /^([1-9]\d{0,5})([mhdwMQY])$/.exec(duration) ?? []
  const seconds = Number(count) * (unitSeconds[unit ?? ''] ?? 0)
  if (!(seconds > 0 && seconds <= maxWindowS)) {
    throw new OpenSloError(
      `${place}: spec.timeWindow[0].duration: ${duration} must be such as 30d, 1h or 10m, and a year at most`,
    )
  }
  return seconds
}
