import { backEnd, integer, list, oneOf, readSettings, type SettingsOf } from '../platform/settings.ts'
import { autonomies } from './objective.ts'

const table = {
  journalUrl: {
    variable: 'NEXUS_JOURNAL_URL',
    read: backEnd('sqlite', 'redis', 'rediss'),
    purpose: 'the journal of objectives, such as sqlite:/var/lib/nexus/journal.sqlite or redis://host:6379',
  },
  metricsUrl: {
    variable: 'NEXUS_METRICS_URL',
    read: backEnd('embedded', 'prometheus'),
    purpose: 'where telemetry comes from, such as prometheus:http://prometheus:9090',
  },
  targets: {
    variable: 'NEXUS_TARGETS',
    read: list,
    purpose: 'the targets, as name=/path/to/repository, separated by commas',
  },
  defaultAutonomy: {
    variable: 'NEXUS_DEFAULT_AUTONOMY',
    read: oneOf(autonomies),
    purpose:
      'how much NEXUS may do by itself where an objective does not say: observe, propose, approve or auto',
    fallback: 'approve' as const,
  },
  observeSeconds: {
    variable: 'NEXUS_OBSERVE_SECONDS',
    read: integer({ min: 2, max: 120 }),
    purpose: 'seconds of telemetry that an observation covers',
    fallback: 60,
  },
} as const

export type Settings = SettingsOf<typeof table>

/** Errors: SettingsError. */
export function settingsFrom(env: Readonly<Record<string, string | undefined>>): Settings {
  return readSettings(table, env)
}
