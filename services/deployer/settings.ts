import path from 'node:path'
import { backEnd, integer, list, readSettings, type SettingsOf, text } from '../platform/settings.ts'

const maxTargets = 16
const targetGrammar = /^([a-z][a-z0-9-]{0,62})=(\/.+)$/
const variableGrammar = /^([A-Za-z_][A-Za-z0-9_]{0,127})=(.*)$/

const table = {
  dataFolder: {
    variable: 'NEXUS_DATA',
    read: absolute,
    purpose: 'the folder that holds mirrors, dependencies and versions',
  },
  targets: {
    variable: 'NEXUS_TARGETS',
    read: targets,
    purpose: 'the targets: name=/path/to/repository, separated by commas',
    fallback: new Map<string, string>() as ReadonlyMap<string, string>,
  },
  journalUrl: {
    variable: 'NEXUS_JOURNAL_URL',
    read: backEnd('sqlite', 'redis', 'rediss'),
    purpose: 'the journal, such as sqlite:/var/lib/nexus/journal.sqlite',
  },
  warrantPublicKeyFile: {
    variable: 'NEXUS_WARRANT_PUBLIC_KEY_FILE',
    read: text,
    purpose: "the governor's public key in PEM form",
  },
  targetEnvironment: {
    variable: 'NEXUS_TARGET_ENVIRONMENT',
    read: environment,
    purpose: 'put over the environment in nexus.yaml: NAME=value, separated by commas',
    fallback: {} as Readonly<Record<string, string>>,
  },
  port: {
    variable: 'NEXUS_LOCAL_PORT',
    read: integer({ min: 0, max: 65_535 - maxTargets }),
    purpose:
      'where clients reach the first target on 127.0.0.1; each further target has the next port; 0 takes free ones',
    fallback: 15_080,
  },
  metricsPort: {
    variable: 'NEXUS_LOCAL_METRICS_PORT',
    read: integer({ min: 0, max: 65_535 - maxTargets }),
    purpose:
      'where the metrics of the first target are; each further target has the next port; 0 takes free ones',
    fallback: 15_090,
  },
} as const

/** The deployer's settings, read once. */
export type DeployerSettings = SettingsOf<typeof table>

/** Errors: SettingsError naming each variable that is missing or wrong. */
export function readDeployerSettings(env: Readonly<Record<string, string | undefined>>): DeployerSettings {
  return readSettings(table, env)
}

function absolute(value: string): string {
  if (!path.isAbsolute(value)) throw new Error('must be an absolute path')
  return value
}

function targets(value: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const item of list(value)) {
    const [, name, place] = targetGrammar.exec(item) ?? []
    if (name === undefined || place === undefined) throw new Error(`${item} must be name=/absolute/path`)
    if (found.has(name)) throw new Error(`${name} is named twice`)
    found.set(name, place)
  }
  if (found.size > maxTargets) throw new Error(`must name at most ${maxTargets} targets`)
  return found
}

function environment(value: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const item of list(value)) {
    const [, name, content] = variableGrammar.exec(item) ?? []
    if (name === undefined || content === undefined)
      throw new Error(`${item.split('=')[0]} must be NAME=value`)
    found[name] = content
  }
  return Object.freeze(found)
}
