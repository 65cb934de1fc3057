import { backEnd, integer, readSettings, type SettingsOf } from '../platform/settings.ts'

const table = {
  cacheUrl: {
    variable: 'NEXUS_CACHE_URL',
    read: backEnd('memory', 'redis', 'rediss'),
    purpose: 'where retrieved passages are cached, such as memory: or redis://redis:6379',
  },
  retrievalTtlSeconds: {
    variable: 'NEXUS_RETRIEVAL_CACHE_SECONDS',
    read: integer({ min: 1, max: 86_400 }),
    purpose: 'how long retrieved passages are cached, in seconds',
    fallback: 300,
  },
} as const

/** Reads the service's settings. Errors: SettingsError naming each that is missing or wrong. */
export function readOrchestratorSettings(
  env: Readonly<Record<string, string | undefined>>,
): SettingsOf<typeof table> {
  return readSettings(table, env)
}
