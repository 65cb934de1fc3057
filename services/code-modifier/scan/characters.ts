import { lineAt, type Sighting } from './secrets.ts'

/** Marks that reorder what is shown (Trojan Source, CVE-2021-42574). */
const reordering = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu
/** Characters that are not shown at all; a byte order mark may begin a file. */
const invisible =
  /[\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200d\u2060-\u2064\u206a-\u206f\u3164\ufeff\uffa0\u{e0000}-\u{e01ef}]/gu
const control = /\p{Cc}/gu

/** Characters that make a reader see another text than the compiler. */
export function findHiddenCharacters(text: string): Sighting[] {
  return [
    ...sightings(text, reordering, 'text/bidi', 'reorders the text that people see'),
    ...sightings(text, invisible, 'text/invisible', 'is not shown'),
    ...sightings(text, control, 'text/control', 'is a control character'),
  ]
}

function sightings(text: string, pattern: RegExp, rule: string, what: string): Sighting[] {
  return [...text.matchAll(pattern)]
    .filter((match) => !isUsual(text, match))
    .map((match) => {
      const code = match[0].codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')
      return {
        rule,
        line: lineAt(text, match.index),
        message: `the character U+${code} ${what}: write it as an escape, or take it out`,
        text: match[0],
      }
    })
}

/** White space, a byte order mark at the beginning, and the joiner between two pictographs of one emoji. */
function isUsual(text: string, match: RegExpMatchArray): boolean {
  const index = match.index ?? 0
  if (/[\t\n\r]/.test(match[0])) return true
  if (match[0] === '\ufeff') return index === 0
  if (match[0] !== '\u200d') return false
  return (
    /\p{Extended_Pictographic}\ufe0f?$/u.test(text.slice(Math.max(0, index - 4), index)) &&
    /^\p{Extended_Pictographic}/u.test(text.slice(index + 1, index + 3))
  )
}
