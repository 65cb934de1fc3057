/** One setting: its variable, how its text is read, what it is for, and its defaults. */
export interface Setting<T> {
  readonly variable: `NEXUS_${string}`
  readonly read: (text: string) => T
  /** For the help text and for the message when it is missing or wrong. */
  readonly purpose: string
  /** Used when the variable is unset. Without it the setting is needed and its absence stops the start. */
  readonly fallback?: T
}

/** A table of settings becomes one frozen object of their values. */
export type SettingsOf<Table> = {
  readonly [K in keyof Table]: Table[K] extends Setting<infer T> ? T : never
}

/** Thrown at start; names every setting that is missing or wrong, so that one run shows all of them. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
}

/** Reads a whole table at once. Errors: SettingsError listing each variable, what it is for, and what is wrong with it. */
export function readSettings<Table extends Record<string, Setting<unknown>>>(
  table: Table,
  env: Readonly<Record<string, string | undefined>>,
): SettingsOf<Table> {
  const problems: string[] = []
  const values: Record<string, unknown> = {}
  for (const [name, setting] of Object.entries(table)) {
    const text = env[setting.variable]
    if (text === undefined || text === '') {
      if ('fallback' in setting) values[name] = setting.fallback
      else problems.push(`${setting.variable} is not set: ${setting.purpose}`)
      continue
    }
    try {
      values[name] = setting.read(text)
    } catch (error) {
      problems.push(
        `${setting.variable}=${withoutSecrets(text)}: ${(error as Error).message} (${setting.purpose})`,
      )
    }
  }
  if (problems.length > 0)
    throw new SettingsError(`the settings are not complete:\n  ${problems.join('\n  ')}`)
  return Object.freeze(values) as SettingsOf<Table>
}

/** A URL may hold a password, and an error ends up in logs. */
function withoutSecrets(text: string): string {
  return text.replace(/\/\/[^/@\s]*@/g, '//…@')
}

/** Any text. */
export function text(text: string): string {
  return text
}

/** A whole number within bounds, such as a port or a number of milliseconds. */
export function integer(bounds: { min: number; max: number }): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!Number.isInteger(value) || value < bounds.min || value > bounds.max) {
      throw new Error(`must be a whole number from ${bounds.min} to ${bounds.max}`)
    }
    return value
  }
}

/** `true`/`false`, `1`/`0`, `yes`/`no`. */
export function flag(text: string): boolean {
  const folded = text.toLowerCase()
  if (['true', '1', 'yes'].includes(folded)) return true
  if (['false', '0', 'no'].includes(folded)) return false
  throw new Error('must be true or false')
}

/** One of a fixed list of words. */
export function oneOf<const Words extends readonly string[]>(words: Words): (text: string) => Words[number] {
  return (text) => {
    if (!words.includes(text)) throw new Error(`must be one of ${words.join(', ')}`)
    return text
  }
}

/** The URL of a back end whose scheme is one of `schemes`, such as `sqlite:/var/lib/nexus/journal.sqlite`. */
export function backEnd(...schemes: string[]): (text: string) => string {
  return (text) => {
    if (!schemes.some((scheme) => text.startsWith(`${scheme}:`))) {
      throw new Error(`must begin with ${schemes.map((scheme) => `${scheme}:`).join(' or ')}`)
    }
    return text
  }
}

/** A comma-separated list; blanks around the items are dropped, empty items too. */
export function list(text: string): readonly string[] {
  return Object.freeze(
    text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  )
}
