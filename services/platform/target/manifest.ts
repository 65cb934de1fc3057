import { parseDocument } from 'yaml'
import { z } from 'zod'
import type { JsonValue } from '../canonical-json.ts'
import { checkGlob } from './globs.ts'

/** The file at the root of a target's repository that says how NEXUS may treat it. */
export const manifestPath = 'nexus.yaml'

export const maxManifestBytes = 256 * 1024

/** `nexus.yaml` cannot be used; `field` is the place, such as `services[0].port_env`, and the message the remedy. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError'
  readonly field: string
  constructor(field: string, problem: string, options?: ErrorOptions) {
    super(`${manifestPath}: ${field === '' ? '' : `${field} `}${problem}`, options)
    this.field = field
  }
}

/** A program with its arguments; no shell reads it. */
export type Argv = readonly [string, ...string[]]

/** What `nexus.yaml` says, with the defaults filled in. Times as their names say. */
export interface Manifest {
  readonly name: string
  /** The target branch. */
  readonly branch: string
  readonly services: readonly ManifestService[]
  readonly commands: {
    readonly install?: Argv
    readonly test: Argv
    readonly benchmark?: Argv
    readonly lint?: Argv
    readonly start: Argv
  }
  /** Environment of every command of the target. */
  readonly environment: Readonly<Record<string, string>>
  /** Globs of the files that a change may touch and whose functions are the target's own. */
  readonly sources: readonly string[]
  /** Globs of the files that no change may touch. */
  readonly protected: readonly string[]
  /** The classes of intervention that are permitted, with their parameters. */
  readonly interventions: Readonly<Record<string, Readonly<Record<string, string | number | boolean>>>>
  /** OpenSLO documents, as written. */
  readonly slos: readonly JsonValue[]
  readonly rollout: ManifestRollout
}

export interface ManifestService {
  /** As the mesh names it. */
  readonly name: string
  /** The variable that tells the service its port. */
  readonly portEnv: string
  /** How readiness is seen: `grpc.health.v1`, or that the port takes a connection. */
  readonly health: 'grpc' | 'tcp'
}

export interface ManifestRollout {
  readonly driver: 'local'
  readonly steps: readonly { readonly weight: number; readonly minSeconds: number }[]
  /** After so long without enough evidence the rollout ends as inconclusive. */
  readonly maxSeconds: number
  /** So long the canary has all the traffic, with the old version waiting, before it is stable; 0 does without. */
  readonly watchSeconds: number
  /** Probability of a wrong abort that is accepted. */
  readonly alpha: number
  /** How many more errors the canary may have, as a share of requests; the judge's own default when left out. */
  readonly errorTolerance?: number
  /** How much slower the canary may be: 0.1 is a tenth; the judge's own default when left out. */
  readonly latencyTolerance?: number
}

const word = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and hyphens')
const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'must be the name of a variable')
const argv = z
  .array(z.string().max(4096), 'must be a list: the program and its arguments')
  .min(1, 'must name a program')
  .max(64)
  .transform((items) => items as [string, ...string[]])
const glob = z.string().superRefine((pattern, context) => {
  try {
    checkGlob(pattern)
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message })
  }
})

const serviceSchema = z.strictObject({
  name: word,
  port_env: variable.default('PORT'),
  health: z.enum(['grpc', 'tcp']).default('grpc'),
})

const commandsSchema = z.strictObject({
  install: argv.optional(),
  test: argv,
  benchmark: argv.optional(),
  lint: argv.optional(),
  start: argv,
})

const rolloutSchema = z.strictObject({
  driver: z.literal('local', 'must be `local`, the only driver of this version').default('local'),
  steps: z
    .array(
      z.strictObject({
        weight: z.int().min(1).max(100),
        min_seconds: z.number().min(0).max(86_400).default(5),
      }),
    )
    .min(1)
    .max(20)
    .default([
      { weight: 20, min_seconds: 5 },
      { weight: 50, min_seconds: 10 },
    ]),
  max_seconds: z.number().min(1).max(86_400).default(120),
  watch_seconds: z.number().min(0).max(3_600).default(5),
  alpha: z.number().gt(0).max(0.5).default(0.01),
  error_tolerance: z.number().min(0).max(1).optional(),
  latency_tolerance: z.number().min(0).max(10).optional(),
})

const manifestSchema = z.strictObject({
  name: word,
  branch: z
    .string()
    .regex(
      /^(?![/.-])(?!.*(?:\.\.|\/\/|@\{|\.lock$|\/$))[A-Za-z0-9._/-]{1,200}$/,
      'must be the name of a branch',
    )
    .refine((name) => !name.startsWith('nexus/'), 'must not be one of NEXUS’s own branches (nexus/…)')
    .default('main'),
  services: z.array(serviceSchema).min(1, 'must hold at least one service').max(16),
  commands: commandsSchema,
  environment: z.record(variable, z.string().max(32_768)).default({}),
  sources: z.array(glob).min(1, 'must hold at least one glob').max(64).default(['src/**/*.ts']),
  protected: z.array(glob).max(256).default([]),
  interventions: z
    .record(
      z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, 'must be a class of intervention such as enable_caching'),
      z
        .record(z.string().max(64), z.union([z.string().max(256), z.number(), z.boolean()]))
        .nullable()
        .transform((parameters) => parameters ?? {}),
    )
    .default({}),
  slos: z.array(z.record(z.string(), z.json())).max(64).default([]),
  rollout: rolloutSchema.prefault({}),
})

/** Reads the text of a `nexus.yaml`. Errors: ManifestError naming the first field that is wrong, and what to write there. */
export function readManifest(text: string): Manifest {
  if (Buffer.byteLength(text) > maxManifestBytes) {
    throw new ManifestError('', `is larger than ${maxManifestBytes} bytes`)
  }
  const result = manifestSchema.safeParse(parseYaml(text), { reportInput: true })
  if (!result.success) throw describeIssue(result.error.issues[0]!)
  const { services, rollout, ...rest } = result.data
  return deepFreeze({
    ...rest,
    services: services.map(({ name, port_env, health }) => ({ name, portEnv: port_env, health })),
    rollout: {
      driver: rollout.driver,
      steps: rollout.steps.map(({ weight, min_seconds }) => ({ weight, minSeconds: min_seconds })),
      maxSeconds: rollout.max_seconds,
      watchSeconds: rollout.watch_seconds,
      alpha: rollout.alpha,
      errorTolerance: rollout.error_tolerance,
      latencyTolerance: rollout.latency_tolerance,
    },
  })
}

/** The section `rollout` with its defaults, in the names of the file. */
export function rolloutSection(rollout: ManifestRollout): JsonValue {
  const section: Record<string, JsonValue> = {
    driver: rollout.driver,
    steps: rollout.steps.map(({ weight, minSeconds }) => ({ weight, min_seconds: minSeconds })),
    max_seconds: rollout.maxSeconds,
    watch_seconds: rollout.watchSeconds,
    alpha: rollout.alpha,
  }
  if (rollout.errorTolerance !== undefined) section.error_tolerance = rollout.errorTolerance
  if (rollout.latencyTolerance !== undefined) section.latency_tolerance = rollout.latencyTolerance
  return section
}

function parseYaml(text: string): unknown {
  const document = parseDocument(text, { prettyErrors: true, uniqueKeys: true })
  const [first] = document.errors
  if (first) throw new ManifestError('', `is not YAML: ${first.message.split('\n')[0]}`, { cause: first })
  try {
    return document.toJS({ maxAliasCount: 20 })
  } catch (error) {
    throw new ManifestError('', `is not usable YAML: ${(error as Error).message}`, { cause: error })
  }
}

/** What each field is for, where its name does not say it. */
const purposes: Readonly<Record<string, string>> = {
  name: 'the target’s name, such as storefront',
  services: 'the services that it starts, such as [{name: storefront, port_env: PORT, health: grpc}]',
  'services[].name': 'the service as the mesh names it',
  commands: 'the target’s commands, at least test and start',
  'commands.test': 'the argv that runs the tests, such as [node, --test]',
  'commands.start': 'the argv that starts the service, such as [node, src/main.ts]',
}

function describeIssue(issue: z.core.$ZodIssue): ManifestError {
  const field = fieldOf(issue.path)
  if (issue.code === 'unrecognized_keys') {
    const keys = issue.keys.map((key) => fieldOf([...issue.path, key]))
    return new ManifestError(keys[0]!, `is not a field of this file: take out ${keys.join(', ')}`)
  }
  const purpose = purposes[field.replace(/\[\d+\]/g, '[]')]
  const missing = issue.code === 'invalid_type' && issue.input === undefined
  if (issue.path.length === 0)
    return new ManifestError('', 'must be a mapping of fields such as name, services, commands')
  const problem = missing ? 'is missing' : sentence(issue.message)
  return new ManifestError(field, purpose ? `${problem}: write ${purpose}` : problem)
}

function sentence(message: string): string {
  if (message.startsWith('must')) return message
  return `is wrong: ${message.charAt(0).toLowerCase()}${message.slice(1)}`
}

function fieldOf(path: readonly PropertyKey[]): string {
  let field = ''
  for (const key of path) {
    if (typeof key === 'number') field += `[${key}]`
    else field += field === '' ? String(key) : `.${String(key)}`
  }
  return field
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const item of Object.values(value)) deepFreeze(item)
  }
  return value
}
