import { secretRules } from './secret-rules.ts'

/** A finding before it is known whether the base has it too. */
export interface Sighting {
  readonly rule: string
  readonly line: number
  readonly message: string
  /** What makes two sightings the same wherever they stand; never leaves the scanner. */
  readonly text: string
}

/** A name that promises a secret, and a literal: only what looks drawn at random counts. */
const generic =
  /(?:secret|token|passw(?:or)?d|passphrase|api[_-]?key|access[_-]?key|private[_-]?key|credential|bearer)[\w-]{0,30}['"]?\s{0,5}(?::|=|:=|=>)\s{0,5}(?:['"`](?<quoted>[^'"`\s]{12,200})['"`]|(?<bare>[^'"`\s;,#]{16,200})$)/gim
const genericEntropy = 3.5
const genericHexEntropy = 3
const placeholder =
  /example|changeme|change-me|placeholder|dummy|sample|redacted|your[_-]|xxxx|\*{4}|1234567|abcdef|<[^>]*>|\$\{|\{\{|process\.env|^%/i
/** Words, a path, a call or a type rather than a secret: no digit, or parts that are words. */
const ordinary = /^(?:[a-z]+(?:[-_./:][a-z]+)*|[A-Za-z]+|.*[()[\]].*|\.{0,2}\/.*|https?:.*|[\d.:-]+)$/

/** Secrets in a text of any kind. */
export function findSecrets(text: string): Sighting[] {
  const folded = text.toLowerCase()
  const found: Sighting[] = []
  for (const { id, what, keywords, pattern, leastEntropy } of secretRules) {
    if (!keywords.some((keyword) => folded.includes(keyword))) continue
    for (const match of text.matchAll(pattern)) {
      const value = match.groups?.value ?? match[0]
      if (entropyOf(value) < leastEntropy || isPlaceholder(id, match[0], value)) continue
      found.push(sighting(text, match.index, id, what, value))
    }
  }
  const known = new Set(found.map(({ line }) => line))
  return [...found, ...findGeneric(text).filter(({ line }) => !known.has(line))]
}

function findGeneric(text: string): Sighting[] {
  const found: Sighting[] = []
  for (const match of text.matchAll(generic)) {
    const value = match.groups?.quoted ?? match.groups?.bare ?? ''
    if (!looksDrawn(value) || placeholder.test(value)) continue
    found.push(sighting(text, match.index, 'secret/generic', 'a secret under a telling name', value))
  }
  return found
}

function looksDrawn(value: string): boolean {
  if (ordinary.test(value) || !/\d/.test(value) || !/[a-z]/i.test(value)) return false
  const isHex = /^[0-9a-f-]+$/i.test(value)
  return entropyOf(value) >= (isHex ? genericHexEntropy : genericEntropy)
}

/** Vendors' own examples end in EXAMPLE; a password in a URL may be a variable or an obvious stand-in. */
function isPlaceholder(id: string, whole: string, value: string): boolean {
  if (/EXAMPLE/.test(value)) return true
  return (
    id === 'secret/url-password' &&
    (placeholder.test(value) ||
      /^(?:pass(?:word)?|secret|user|test|guest|admin)$/i.test(value) ||
      /@(?:example|localhost\.)/.test(whole))
  )
}

/** Shannon entropy in bits a character: `aaaa` has 0, `abcd` has 2. */
export function entropyOf(text: string): number {
  const counts = new Map<string, number>()
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length)
  return bits
}

function sighting(text: string, index: number, rule: string, what: string, value: string): Sighting {
  return {
    rule,
    line: lineAt(text, index),
    message: `this looks like ${what}: take it out of the code, and revoke it if it was ever real`,
    text: value,
  }
}

/** From 1. */
export function lineAt(text: string, index: number): number {
  let line = 1
  for (let at = text.indexOf('\n'); at >= 0 && at < index; at = text.indexOf('\n', at + 1)) line++
  return line
}
