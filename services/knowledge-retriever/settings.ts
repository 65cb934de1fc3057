import { backEnd, readSettings, type SettingsOf } from '../platform/settings.ts'

const table = {
  graphUrl: {
    variable: 'NEXUS_GRAPH_URL',
    read: backEnd('sqlite'),
    purpose: 'where the documents are kept, such as sqlite:/var/lib/nexus/knowledge.sqlite',
  },
} as const

export type KnowledgeRetrieverSettings = SettingsOf<typeof table>

/** Reads the service's settings. Errors: SettingsError naming each that is missing or wrong. */
export function readKnowledgeRetrieverSettings(
  env: Readonly<Record<string, string | undefined>>,
): KnowledgeRetrieverSettings {
  return readSettings(table, env)
}
