import { backEnd, integer, oneOf, readSettings, type SettingsOf, text } from '../platform/settings.ts'

const graphBackEnd = backEnd('sqlite', 'neo4j', 'neo4j+s', 'neo4j+ssc', 'bolt', 'bolt+s', 'bolt+ssc')

const table = {
  graphUrl: {
    variable: 'NEXUS_GRAPH_URL',
    read: graphBackEnd,
    purpose:
      'where the documents are kept, such as sqlite:/var/lib/nexus/knowledge.sqlite or neo4j://neo4j:7687 (also bolt:, and neo4j+s: or bolt+s: for TLS)',
  },
  graphPassword: {
    variable: 'NEXUS_GRAPH_PASSWORD',
    read: text,
    purpose: 'the password of a Neo4j whose URL has none; its user is neo4j unless the URL names one',
    fallback: '',
  },
  graphSnapshot: {
    variable: 'NEXUS_GRAPH_SNAPSHOT',
    read: text,
    purpose:
      'the file of the snapshot from which a start need not read every document, or none; default: beside a SQLite file, none for a Neo4j',
    fallback: '',
  },
  extraction: {
    variable: 'NEXUS_EXTRACTION',
    read: oneOf(['off', 'names']),
    purpose:
      'names: the language model looks for the names in each document before it is stored, as extra evidence; off: no model is asked',
    fallback: 'off' as const,
  },
  embeddings: {
    variable: 'NEXUS_EMBEDDINGS',
    read: oneOf(['off', 'passages']),
    purpose:
      'passages: the language model embeds passages and questions, as extra evidence; off: no model is asked',
    fallback: 'off' as const,
  },
  modelTokensPerDay: {
    variable: 'NEXUS_KNOWLEDGE_DAILY_TOKEN_BUDGET',
    read: integer({ min: 0, max: 1_000_000_000_000 }),
    purpose:
      'most tokens that a process spends on a day (UTC) on names and embeddings; when they are used up, it goes on without',
    fallback: 1_000_000,
  },
} as const

export type KnowledgeRetrieverSettings = SettingsOf<typeof table>

/** Reads the service's settings. Errors: SettingsError naming each that is missing or wrong. */
export function readKnowledgeRetrieverSettings(
  env: Readonly<Record<string, string | undefined>>,
): KnowledgeRetrieverSettings {
  return readSettings(table, env)
}

/** Where the snapshot is kept; undefined: nowhere. */
export function snapshotPath({ graphUrl, graphSnapshot }: KnowledgeRetrieverSettings): string | undefined {
  if (graphSnapshot === 'none') return undefined
  if (graphSnapshot !== '') return graphSnapshot
  return graphUrl.startsWith('sqlite:') ? `${graphUrl.slice('sqlite:'.length)}.snapshot` : undefined
}
