import {
  backEnd,
  integer,
  oneOf,
  readSettings,
  SettingsError,
  type SettingsOf,
  text,
} from '../platform/settings.ts'

const table = {
  url: {
    variable: 'NEXUS_LLM_URL',
    read: modelUrl,
    purpose:
      'the language model: builtin: (none), or openai:https://host/v1 for any OpenAI-compatible server',
    fallback: 'builtin:',
  },
  apiKey: {
    variable: 'NEXUS_LLM_API_KEY',
    read: text,
    purpose: 'the key that the server of the model wants; never logged',
    fallback: '',
  },
  completionModel: {
    variable: 'NEXUS_LLM_MODEL',
    read: text,
    purpose: 'the name of the model that completes; needed with openai:',
    fallback: '',
  },
  embeddingModel: {
    variable: 'NEXUS_LLM_EMBEDDING_MODEL',
    read: text,
    purpose: 'the name of the model that embeds; without it Embed is refused',
    fallback: '',
  },
  dialect: {
    variable: 'NEXUS_LLM_DIALECT',
    read: oneOf(['chat', 'reasoning']),
    purpose: 'chat: max_tokens and temperature are sent; reasoning: max_completion_tokens and no temperature',
    fallback: 'chat' as const,
  },
  totalTimeoutMs: {
    variable: 'NEXUS_LLM_TIMEOUT_MS',
    read: integer({ min: 10, max: 900_000 }),
    purpose: 'milliseconds for a call with all of its tries; a stream, until its first piece',
    fallback: 120_000,
  },
  attemptTimeoutMs: {
    variable: 'NEXUS_LLM_ATTEMPT_TIMEOUT_MS',
    read: integer({ min: 10, max: 900_000 }),
    purpose: 'milliseconds for one try',
    fallback: 60_000,
  },
  silenceMs: {
    variable: 'NEXUS_LLM_SILENCE_MS',
    read: integer({ min: 10, max: 900_000 }),
    purpose: 'milliseconds after which a silent stream is given up',
    fallback: 30_000,
  },
  dailyTokenBudget: {
    variable: 'NEXUS_LLM_DAILY_TOKEN_BUDGET',
    read: integer({ min: 0, max: 1_000_000_000_000 }),
    purpose: 'most tokens of a day (UTC), input and output together; 0: nothing may be spent',
    fallback: 2_000_000,
  },
  defaultMaxOutputTokens: {
    variable: 'NEXUS_LLM_MAX_OUTPUT_TOKENS',
    read: integer({ min: 1, max: 131_072 }),
    purpose: 'most tokens of an answer, where a request does not say',
    fallback: 4_096,
  },
  journalUrl: {
    variable: 'NEXUS_JOURNAL_URL',
    read: backEnd('sqlite', 'redis', 'rediss'),
    purpose:
      'the journal of the token budget, such as sqlite:/var/lib/nexus/journal.sqlite or redis://host:6379',
  },
} as const

export type Settings = SettingsOf<typeof table>

/** Errors: SettingsError. */
export function settingsFrom(env: Readonly<Record<string, string | undefined>>): Settings {
  const settings = readSettings(table, env)
  if (settings.url === 'builtin:' || settings.completionModel !== '') return settings
  const { variable, purpose } = table.completionModel
  throw new SettingsError(`the settings are not complete:\n  ${variable} is not set: ${purpose}`)
}

function modelUrl(url: string): string {
  if (url === 'builtin:') return url
  const base = url.startsWith('openai:') ? url.slice('openai:'.length) : ''
  if (!/^https?:\/\//.test(base) || !URL.canParse(base))
    throw new Error('must be builtin: or openai:https://host/v1')
  const { username, password, search, hash } = new URL(base)
  if (username || password) throw new Error('must not hold a user or a password: use NEXUS_LLM_API_KEY')
  if (search || hash) throw new Error('must end with its path')
  return url
}
