import { createHash } from 'node:crypto'
import { canonicalJson } from '../canonical-json.ts'

/** SHA-256, in hex, of a value's canonical JSON: what a change and its evidence are known by. Errors: NotJsonError. */
export function digestOf(value: unknown): string {
  return digestOfText(canonicalJson(value))
}

/** SHA-256, in hex, of a text's UTF-8 bytes; of a warrant's envelope it is the trailer `Nexus-Warrant`. */
export function digestOfText(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex')
}
