import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of this repository. */
export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))

export type Environment = Readonly<Record<string, string | undefined>>

const ports = {
  NEXUS_GRPC_PORT: '50051',
  NEXUS_METRICS_PORT: '9464',
  NEXUS_LOCAL_PORT: '15080',
  NEXUS_LOCAL_METRICS_PORT: '15090',
}

/** Where the storefront's own repository is made when no target is given. */
export function exampleRepository(dataFolder: string): string {
  return path.join(dataFolder, 'examples', 'storefront')
}

/**
 * The environment of `all`: embedded back ends in one data folder, where the caller's own environment says nothing else.
 * All-in-one is this table; every service reads the same variables as it would alone.
 */
export function embeddedEnvironment(own: Environment): Record<string, string | undefined> {
  const data = path.resolve(own.NEXUS_DATA ?? path.join(root, '.nexus', 'data'))
  const given: Environment = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== ''))
  const set: Environment = { ...ports, ...given }
  const NEXUS_TARGETS = set.NEXUS_TARGETS ?? `storefront=${exampleRepository(data)}`
  const scrape = [...metricsPortsOf(NEXUS_TARGETS, set), set.NEXUS_METRICS_PORT].map(
    (port) => `scrape=http://127.0.0.1:${port}/metrics`,
  )
  return {
    ...ports,
    NEXUS_JOURNAL_URL: `sqlite:${path.join(data, 'journal.sqlite')}`,
    NEXUS_CACHE_URL: 'memory:',
    NEXUS_GRAPH_URL: `sqlite:${path.join(data, 'knowledge.sqlite')}`,
    NEXUS_LLM_URL: 'builtin:',
    NEXUS_METRICS_URL: `embedded:?${scrape.join('&')}`,
    NEXUS_TARGETS,
    NEXUS_WARRANT_PUBLIC_KEY_FILE: path.join(data, 'keys', 'warrant.pub'),
    NEXUS_SANDBOX_FOLDER: path.join(data, 'sandbox'),
    NEXUS_SANDBOX_MOUNT_ROOTS: [path.join(data, 'worktrees'), path.join(data, 'dependencies')].join(','),
    NEXUS_DEFAULT_AUTONOMY: 'auto',
    NEXUS_OBSERVE_SECONDS: '20',
    ...given,
    NEXUS_DATA: data,
  }
}

/** Each target has its own metrics, on the next port. */
function metricsPortsOf(targets: string, set: Environment): number[] {
  const first = Number(set.NEXUS_LOCAL_METRICS_PORT)
  return targets.split(',').map((_, index) => first + index)
}
