import { isStopWord, type Token, tokenize } from '../platform/text.ts'

/** A name by which an entity is known: folded words joined by spaces. */
export type EntityKey = string

/** A name that a title gives, with how surely it means the titled thing (1: the whole title). */
export interface TitleName {
  readonly key: EntityKey
  readonly weight: number
}

/** Longer names are not names. */
export const maxNameWords = 16

const aliasWeight = 0.7
const minAliasLength = 4
const maxConnectors = 2
const maxTitleChars = 120
const connectors = new Set(
  'of the de la le du des van von der den bin ibn al and for in at on to & y e da do dos di del'.split(' '),
)
const splitters = new Set(['and', 'in', 'at', 'for', 'on', 'to'])
const calendarWords = new Set(
  'january february march april may june july august september october november december monday tuesday wednesday thursday friday saturday sunday'.split(
    ' ',
  ),
)

/**
 * The names in a title: the title without a trailing `(…)`, and the part before its first comma.
 * `titleNames('Paris, Texas (film)')` is `paris texas` with weight 1 and `paris` with weight 0.7.
 */
export function titleNames(title: string): TitleName[] {
  const bare = title.replace(/\s*\([^()]*\)\s*$/, '')
  const key = keyOf(tokenize(bare))
  if (key === undefined) return []
  const names: TitleName[] = [{ key, weight: 1 }]
  const comma = bare.indexOf(',')
  const alias = comma >= minAliasLength ? keyOf(tokenize(bare.slice(0, comma))) : undefined
  if (alias !== undefined && alias !== key) names.push({ key: alias, weight: aliasWeight })
  return names
}

/**
 * The title of a document that has none: its first heading, else a short first line, else the first name in it.
 * It links the document into the graph; it is never shown as the document's title.
 */
export function inducedTitle(text: string): string {
  const start = text.trimStart()
  const lineEnd = start.indexOf('\n')
  const line = (lineEnd < 0 ? start : start.slice(0, lineEnd)).trim()
  const heading = /^#{1,6}\s+(.+)$/.exec(line.slice(0, maxTitleChars))
  if (heading?.[1] !== undefined) return heading[1]
  if (lineEnd >= 0 && line.length <= maxTitleChars && /[\p{L}\p{N}]$/u.test(line)) return line
  return firstName(start.slice(0, maxTitleChars * 4))
}

function firstName(text: string): string {
  const tokens = tokenize(text)
  const run = capitalisedRuns(text, tokens).find((tokensOfRun) => keyOf(tokensOfRun) !== undefined)
  if (run === undefined) return ''
  return text.slice(run[0]?.start, run.at(-1)?.end)
}

/** The names that capital letters show in a text, each once. Spans of three words and more also give their parts. */
export function capitalisedNames(text: string, tokens: readonly Token[]): Set<EntityKey> {
  const names = new Set<EntityKey>()
  for (const run of capitalisedRuns(text, tokens)) {
    addName(names, run)
    if (run.length < 3) continue
    for (const part of splitRun(text, run)) if (part.length < run.length) addName(names, part)
  }
  return names
}

function addName(names: Set<EntityKey>, tokens: readonly Token[]): void {
  const key = keyOf(tokens)
  if (key !== undefined) names.add(key)
}

/** The key of a span, or undefined when it is no name: too long, only stop words, numbers, months or weekdays. */
function keyOf(tokens: readonly Token[]): EntityKey | undefined {
  let from = 0
  while (from < tokens.length && isStopWord(tokens[from]?.word ?? '')) from += 1
  const named = tokens.slice(from)
  if (named.length === 0 || named.length > maxNameWords) return undefined
  const isName = named.some(
    ({ word }) => !isStopWord(word) && !calendarWords.has(word) && !/^\p{N}+$/u.test(word),
  )
  if (!isName) return undefined
  if (named.length === 1 && (named[0]?.word.length ?? 0) < 2) return undefined
  return named.map(({ word }) => word).join(' ')
}

/** Runs of capitalised words within a sentence, joined through at most two small words such as `of the`. */
function capitalisedRuns(text: string, tokens: readonly Token[]): Token[][] {
  const runs: Token[][] = []
  let run: Token[] = []
  let pending: Token[] = []
  for (const token of tokens) {
    const last = pending.at(-1) ?? run.at(-1)
    const joined = last !== undefined && isJoined(text, last, token)
    if (run.length > 0 && joined && token.capital) {
      run.push(...pending, token)
      pending = []
    } else if (run.length > 0 && joined && connectors.has(token.word) && pending.length < maxConnectors) {
      pending.push(token)
    } else {
      if (run.length > 0) runs.push(run)
      run = token.capital ? [token] : []
      pending = []
    }
  }
  if (run.length > 0) runs.push(run)
  return runs
}

function isJoined(text: string, left: Token, right: Token): boolean {
  if (left.sentence !== right.sentence || right.start - left.end > 4) return false
  return /^[ \u00a0\-.&'\u2019]*$/.test(text.slice(left.end, right.start))
}

function splitRun(text: string, run: readonly Token[]): Token[][] {
  const parts: Token[][] = [[]]
  run.forEach((token, index) => {
    const previous = run[index - 1]
    const ampersand = previous !== undefined && text.slice(previous.end, token.start).includes('&')
    if (ampersand || (!token.capital && splitters.has(token.word))) parts.push([])
    if (token.capital || !splitters.has(token.word)) parts.at(-1)?.push(token)
  })
  return parts.filter((part) => part.length > 0)
}
