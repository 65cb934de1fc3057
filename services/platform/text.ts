import { stemmer } from 'stemmer'

/** A word of a text, folded, with its place in the text in UTF-16 code units. */
export interface Token {
  readonly word: string
  readonly start: number
  readonly end: number
  /** Begins with a capital letter or a digit, as names do. */
  readonly capital: boolean
  /** Index of its sentence in the text, from 0. */
  readonly sentence: number
}

// Scripts that are written without spaces give one token a character.
const tokenPattern =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]|(?:(?![\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}])[\p{L}\p{N}\p{M}])+/gu
const latinTokenPattern = /[a-zA-Z0-9\u00aa-\u024f]+/g
const beyondLatinPattern = /[\u0250-\u{10ffff}]/u
const capitalPattern = /^[\p{Lu}\p{Lt}\p{N}]/u
const asciiPattern = /^[a-z0-9]*$/

const abbreviations = new Set(
  'mr mrs ms dr st jr sr vs etc inc ltd co no gen col lt prof rev hon sgt capt e i g u s'.split(' '),
)

const stopWordList =
  'a an and are as at be been being but by can could did do does for from had has have having he her hers him his how i if in into is it its me my of on or our she should so some such than that the their them then there these they this those to too us was we were what when where which while who whom whose why will with would you your yes no not also about after before both during each other over under between same'
const stopWords = new Set(stopWordList.split(' '))

/** Lower-case, decomposed (NFKD) and without marks: `Éric` is `eric`. */
export function fold(text: string): string {
  const lower = text.toLowerCase()
  return asciiPattern.test(lower) ? lower : lower.normalize('NFKD').replace(/\p{M}+/gu, '')
}

/** The words of a text in order, in any script. A possessive `'s` is dropped. Linear in the length of the text. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  const pattern = beyondLatinPattern.test(text) ? tokenPattern : latinTokenPattern
  let previous: Token | undefined
  let sentence = 0
  for (const match of text.matchAll(pattern)) {
    const surface = match[0]
    const start = match.index
    if ((surface === 's' || surface === 'S') && isApostrophe(text[start - 1])) continue
    // An ampersand as HTML writes it.
    if (surface === 'amp' && text[start - 1] === '&' && text[start + 3] === ';') continue
    const word = fold(surface)
    if (word === '') continue
    const capital = capitalPattern.test(surface)
    if (previous && endsSentence(text.slice(previous.end, start), previous, capital)) sentence += 1
    previous = { word, start, end: start + surface.length, capital, sentence }
    tokens.push(previous)
  }
  return tokens
}

function isApostrophe(character: string | undefined): boolean {
  return character === "'" || character === '\u2019'
}

function endsSentence(gap: string, before: Token, capital: boolean): boolean {
  if (gap.length < 2) return /[\n\u3002]/.test(gap)
  if (/\n\s*\n|[\u3002\uff01\uff1f]/.test(gap)) return true
  if (!/[.!?\u061f]["')\]\u201d]*\s/.test(gap)) return false
  if (!capital && !/["'(\u201c]$/.test(gap)) return false
  if (!gap.startsWith('.')) return true
  const isInitial = before.capital && before.end - before.start === 1
  return !isInitial && !abbreviations.has(before.word)
}

/** Whether a folded word carries no meaning of its own. */
export function isStopWord(word: string): boolean {
  return stopWords.has(word)
}

const maxStemsKept = 200_000
const stemsKept = new Map<string, string>()

/** The Porter stem of a folded word. Words that are not plain Latin are their own stem. */
export function stemOf(word: string): string {
  if (!asciiPattern.test(word)) return word
  const kept = stemsKept.get(word)
  if (kept !== undefined) return kept
  const stem = stemmer(word)
  if (stemsKept.size >= maxStemsKept) stemsKept.clear()
  stemsKept.set(word, stem)
  return stem
}

/** The stems of the words that carry meaning, in order, repeats kept. */
export function stemsOf(tokens: readonly Token[]): string[] {
  const stems: string[] = []
  for (const token of tokens) if (!stopWords.has(token.word)) stems.push(stemOf(token.word))
  return stems
}
