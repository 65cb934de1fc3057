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
/** Aliases are looked for in the beginning of a text only. */
const maxLeadChars = 400
const maxAliases = 8
const maxSubjectWords = 12
const pronouns = new Set('he she it they this that these those there his her its their we you i'.split(' '))
const honorifics = new Set(
  'sir dame dr professor prof saint st lord lady king queen prince princess count countess duke duchess the reverend rev captain general colonel major lieutenant sergeant private admiral don dona sheikh sayyid mr mrs ms blessed pope emperor'.split(
    ' ',
  ),
)
const suffixes = new Set('jr sr ii iii iv kg obe cbe mbe'.split(' '))
const wholeSubjectPattern =
  /^(?:An? )?(.{2,120}?)\s*(?:\(|\s(?:is|was|are|were)\s(?:an?|the|one|located|situated|part|among|considered|any)\b)/
/** `In Roman law, …`. */
const introPattern = /^(?:In|On|At|During|For) [^,.]{3,60}, (?=[\p{Lu}"])/u
/** Another name behind the first: `… or …`, `… better known as …`. */
const otherNamePattern = /,? (?:or|also known as|better known as|known as) .*$/
const maxTermWords = 5
const shortSubjectPattern =
  /^(.{2,100}?)\s*(?:[(,;:\u2013]|\s(?:is|was|are|were|refers|has|had|can|may|in|or)\s)/
const knownAsPattern =
  /\b(?:known (?:simply |professionally |commonly |popularly |mononymously )?as|also called|better known as|nicknamed|n\u00e9e|born|stage name|abbreviated(?: as)?|stylized as|formerly)\s+["\u201c]?((?:[A-Z][\p{L}\p{N}.'\u2019-]*\s?(?:(?:of|the|de|van|von|al|bin)\s)?){1,6})/gu
const connectors = new Set(
  'of the de la le du des van von der den bin ibn al and for in at on to & y e da do dos di del'.split(' '),
)
const splitters = new Set(['and', 'in', 'at', 'for', 'on', 'to'])
const articles = new Set(['a', 'an', 'the'])
const rulerPattern =
  /^(.{2,60}?),? (King|Queen|Emperor|Empress|Prince|Princess|Duke|Duchess|Grand Duke|Grand Duchess|Archduke|Archduchess|Count|Countess|Earl|Marquess|Marquis|Margrave|Elector|Landgrave|Lord|Lady|Baron|Viscount|Pope|Tsar) of (.{2,60})$/

/** Initials between other names. */
const initialsPattern = /(?<=\p{L} )(?:\p{Lu}\. ?)+(?=\p{Lu})/gu

const calendarWords = new Set(
  'january february march april may june july august september october november december monday tuesday wednesday thursday friday saturday sunday'.split(
    ' ',
  ),
)

/**
 * The names in a title: the title, the title without a trailing `(…)`, and the part before its first comma.
 * Also the name with a rank in front (`John, King of England`) and without initials.
 * `titleNames('Paris, Texas (film)')` is `paris texas` and `paris texas film` with weight 1 and `paris` with weight 0.7.
 */
export function titleNames(title: string): TitleName[] {
  const bare = title.replace(/\s*\([^()]*\)\s*$/, '')
  const names: TitleName[] = []
  const add = (key: EntityKey | undefined, weight: number) => {
    if (key !== undefined && !names.some((name) => name.key === key)) names.push({ key, weight })
  }
  add(titleKeyOf(tokenize(bare)), 1)
  add(titleKeyOf(tokenize(title)), 1)
  const comma = bare.indexOf(',')
  if (comma >= minAliasLength) add(keyOf(tokenize(bare.slice(0, comma))), aliasWeight)
  const ruler = rulerPattern.exec(bare)
  if (ruler !== null) {
    const [, name, rank, place] = ruler
    add(keyOf(tokenize(`${rank} ${name} of ${place}`)), aliasWeight)
    add(keyOf(tokenize(`${name} of ${place}`)), aliasWeight)
  }
  add(titleKeyOf(tokenize(bare.replace(initialsPattern, ''))), aliasWeight)
  return names
}

/** A title means all of its words, but an article at its beginning: `We Are the World` is not `world`. */
function titleKeyOf(tokens: readonly Token[]): EntityKey | undefined {
  const first = tokens[0]?.word ?? ''
  const own = articles.has(first) ? tokens.slice(1) : tokens
  if (keyOf(own) === undefined || own.length > maxNameWords) return undefined
  return own.map(({ word }) => word).join(' ')
}

/**
 * The title of a document that has none: its first heading, else a short first line, else what its first sentence speaks
 * of, else the first name in it. It links the document into the graph; it is never shown as the document's title.
 */
export function inducedTitle(text: string): string {
  const start = text.trimStart()
  const lineEnd = start.indexOf('\n')
  const line = (lineEnd < 0 ? start : start.slice(0, lineEnd)).trim()
  const heading = /^#{1,6}\s+(.+)$/.exec(line.slice(0, maxTitleChars))
  if (heading?.[1] !== undefined) return heading[1]
  if (lineEnd >= 0 && line.length <= maxTitleChars && /[\p{L}\p{N}]$/u.test(line)) return line
  const lead = start.slice(0, maxLeadChars)
  return subjectOf(lead) ?? firstName(lead)
}

/** What the first sentence of a text speaks of: what stands before its verb of being or a bracket, when it may be a name. */
function subjectOf(lead: string): string | undefined {
  const quoted = /^["\u201c]([^"\u201d\n]{1,120})["\u201d]/.exec(lead)?.[1]
  if (quoted !== undefined) return quoted
  const start = lead.replace(introPattern, '')
  const whole = wholeSubjectPattern.exec(start)?.[1]?.replace(otherNamePattern, '')
  if (whole !== undefined && mayBeSubject(whole)) return whole
  const subject = shortSubjectPattern.exec(start)?.[1]
  if (subject === undefined) return undefined
  const tokens = tokenize(subject)
  if (keyOf(tokens) === undefined) return undefined
  if (tokens.every(isNamePart)) return subject
  return tokens.length <= maxTermWords && mayBeSubject(subject) ? subject : undefined
}

function isNamePart({ capital, word }: Token, at: number): boolean {
  return capital || (at > 0 && connectors.has(word))
}

/** Small letters may stand in a name, but not behind its comma: `Escape from Alcatraz`, `Edward Stanley, 3rd Earl of Derby`. */
function mayBeSubject(subject: string): boolean {
  const tokens = tokenize(subject)
  const first = tokens[0]
  if (first === undefined || !first.capital || pronouns.has(first.word)) return false
  if (tokens.length > maxSubjectWords || tokens.at(-1)?.sentence !== 0 || keyOf(tokens) === undefined)
    return false
  const comma = subject.indexOf(',')
  return comma < 0 || tokens.every((token, at) => token.start < comma || isNamePart(token, at))
}

/**
 * Other names that a text gives to what its title names: how its first sentence calls it, what it is `also known as`, an
 * acronym in brackets after the name, and shorter forms of a person's name.
 */
export function inducedAliases(title: string, text: string): TitleName[] {
  const lead = text.slice(0, maxLeadChars)
  const titleWords = new Set(tokenize(title).map(({ word }) => word))
  const names = new Set<EntityKey>()
  const subject = subjectOf(lead)
  const tokens = subject === undefined ? [] : tokenize(subject)
  if (subject !== undefined && tokens.some(({ word }) => titleWords.has(word) && !isStopWord(word))) {
    addName(names, tokens)
    addShortForms(names, subject, lead)
  }
  for (const match of lead.matchAll(knownAsPattern)) addName(names, tokenize(match[1] ?? ''))
  const acronym = /^[^.(]{4,100}\(([A-Z][A-Z&]{1,7})\)/.exec(lead)?.[1]
  if (acronym !== undefined) addName(names, tokenize(acronym))
  return [...names].slice(0, maxAliases).map((key) => ({ key, weight: aliasWeight }))
}

/** First and last name, nickname and last name, the name without what stands before it, such as `Sir`. */
function addShortForms(names: Set<EntityKey>, subject: string, lead: string): void {
  const tokens = tokenize(subject.split(',')[0] ?? '')
  if (tokens.length < 2 || !tokens.every(isNamePart)) return
  const titles = tokens.findIndex(({ word }) => !honorifics.has(word))
  if (titles > 0) addName(names, tokens.slice(titles))
  const own = tokens.filter(({ word, capital }) => capital && !honorifics.has(word) && !suffixes.has(word))
  const [first, last] = [own[0], own.at(-1)]
  const isPerson = /^[^.]{0,120}\([^)]{0,60}\b(?:born|1[0-9]{3}|20[0-9]{2})\b|\b[A-Z]\. |["\u201c]/.test(
    lead.slice(0, 200),
  )
  if (!isPerson || own.length < 3 || first === undefined || last === undefined) return
  addName(names, [first, last])
  const nickname = /["\u201c]\s?([\p{L} ]{2,20})["\u201d]/u.exec(subject)?.[1]
  if (nickname !== undefined) addName(names, [...tokenize(nickname), last])
  addName(names, own.slice(1))
  if (own.length === 4) addName(names, [first, own[2] as Token])
  if (own.length > 3) addName(names, own.slice(0, 3))
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
