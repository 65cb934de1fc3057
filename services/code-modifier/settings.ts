import { backEnd, integer, list, readSettings, type SettingsOf, text } from '../platform/settings.ts'

const table = {
  dataFolder: {
    variable: 'NEXUS_DATA',
    read: text,
    purpose: 'the data folder: mirrors of the targets, worktrees, dependencies and keys',
  },
  targets: {
    variable: 'NEXUS_TARGETS',
    read: readTargets,
    purpose: 'the targets, as name=/path/to/repository, separated by commas',
  },
  journalUrl: {
    variable: 'NEXUS_JOURNAL_URL',
    read: backEnd('sqlite', 'redis', 'rediss'),
    purpose: 'the journal of changes, such as sqlite:/var/lib/nexus/journal.sqlite or redis://host:6379',
  },
  warrantKeyFile: {
    variable: 'NEXUS_WARRANT_PUBLIC_KEY_FILE',
    read: text,
    purpose: 'the governor’s public key (PEM), which warrants are checked with',
  },
  benchmarkRuns: {
    variable: 'NEXUS_BENCH_RUNS',
    read: integer({ min: 1, max: 20 }),
    purpose: 'how often the target’s benchmark is run on each side of a change',
    fallback: 3,
  },
  commitName: {
    variable: 'NEXUS_COMMIT_NAME',
    read: text,
    purpose: 'the name that commits are by',
    fallback: 'NEXUS',
  },
  commitEmail: {
    variable: 'NEXUS_COMMIT_EMAIL',
    read: text,
    purpose: 'the e-mail address that commits are by',
    fallback: 'nexus@nexus.invalid',
  },
} as const

export type Settings = SettingsOf<typeof table>

/** Errors: SettingsError. */
export function settingsFrom(env: Readonly<Record<string, string | undefined>>): Settings {
  return readSettings(table, env)
}

/** Paths of repositories by the names of their targets. */
function readTargets(value: string): ReadonlyMap<string, string> {
  const targets = new Map<string, string>()
  for (const item of list(value)) {
    const [, name, place] = /^([a-z][a-z0-9-]{0,62})=(.+)$/.exec(item) ?? []
    if (name === undefined || place === undefined) throw new Error(`${item} must be name=/path/to/repository`)
    if (targets.has(name)) throw new Error(`${name} is there twice`)
    targets.set(name, place)
  }
  return targets
}
