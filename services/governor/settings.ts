import { backEnd, integer, oneOf, readSettings, type SettingsOf, text } from '../platform/settings.ts'
import { autonomyWords } from './judge.ts'

const table = {
  dataFolder: {
    variable: 'NEXUS_DATA',
    read: text,
    purpose: 'the data folder; the key that signs warrants is made in its folder keys',
  },
  journalUrl: {
    variable: 'NEXUS_JOURNAL_URL',
    read: backEnd('sqlite', 'redis', 'rediss'),
    purpose:
      'the journal of authorizations and approvals, such as sqlite:/var/lib/nexus/journal.sqlite or redis://host:6379',
  },
  metricsUrl: {
    variable: 'NEXUS_METRICS_URL',
    read: backEnd('embedded', 'prometheus'),
    purpose: 'where telemetry comes from, such as prometheus:http://prometheus:9090',
  },
  policyFile: {
    variable: 'NEXUS_POLICY_FILE',
    read: text,
    purpose:
      'a Cedar policy in place of services/governor/policy/default.cedar; it is checked against schema.cedarschema there',
    fallback: undefined as string | undefined,
  },
  defaultAutonomy: {
    variable: 'NEXUS_DEFAULT_AUTONOMY',
    read: oneOf(autonomyWords),
    purpose:
      'how much NEXUS may do by itself where a request does not say: observe, propose, approve or auto',
    fallback: 'approve' as const,
  },
  approvalTtlS: {
    variable: 'NEXUS_APPROVAL_TTL_SECONDS',
    read: integer({ min: 1, max: 30 * 86_400 }),
    purpose:
      'seconds after which an approval that nobody has given is a no, and one that was given can no longer be used',
    fallback: 3_600,
  },
  warrantTtlS: {
    variable: 'NEXUS_WARRANT_TTL_SECONDS',
    read: integer({ min: 1, max: 86_400 }),
    purpose: 'seconds for which a warrant holds',
    fallback: 1_800,
  },
  sloResolutionS: {
    variable: 'NEXUS_SLO_RESOLUTION_SECONDS',
    read: integer({ min: 1, max: 3_600 }),
    purpose:
      'the shortest time in which telemetry surely has a sample; four scrape intervals are right. Unset: 5 with embedded metrics, 60 with Prometheus',
    fallback: undefined as number | undefined,
  },
} as const

export type Settings = SettingsOf<typeof table>

/** Errors: SettingsError. */
export function settingsFrom(env: Readonly<Record<string, string | undefined>>): Settings {
  return readSettings(table, env)
}

/** See NEXUS_SLO_RESOLUTION_SECONDS. */
export function resolutionOf(settings: Pick<Settings, 'sloResolutionS' | 'metricsUrl'>): number {
  return settings.sloResolutionS ?? (settings.metricsUrl.startsWith('embedded:') ? 5 : 60)
}
