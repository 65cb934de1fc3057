import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { invariant } from '../../../platform/invariant.ts'
import type { ChangedFile } from '../outcome.ts'

/** Replaces the characters from `start` up to `end` (UTF-16 code units); an insertion where both are equal. */
export interface Span {
  readonly start: number
  readonly end: number
  readonly text: string
}

const byteOrderMark = '\uFEFF'

/** Thrown for a file that cannot be changed span by span; the message names it and says why. */
export class SourceTextError extends Error {
  override readonly name = 'SourceTextError'
}

/** Applies all spans in one pass; what lies outside them stays as it was. Insertions at one place keep the order in which they are given. */
export function applySpans(text: string, spans: readonly Span[]): string {
  let result = ''
  let done = 0
  for (const span of spans.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    invariant(span.start >= done && span.end >= span.start && span.end <= text.length, 'spans do not overlap')
    result += text.slice(done, span.start) + span.text
    done = span.end
  }
  return result + text.slice(done)
}

/**
 * The file with the spans applied to the text that the compiler saw (without a byte order mark, which stays in the result).
 * Errors: SourceTextError where the bytes are not UTF-8 or are no longer the text that was analysed.
 */
export function changeFile(
  folder: string,
  file: string,
  analysed: string,
  spans: readonly Span[],
): ChangedFile {
  const bytes = readFileSync(path.join(folder, file))
  const raw = bytes.toString('utf8')
  if (!Buffer.from(raw, 'utf8').equals(bytes)) throw new SourceTextError(`${file} is not UTF-8`)
  const mark = raw.startsWith(byteOrderMark) ? byteOrderMark : ''
  if (raw.slice(mark.length) !== analysed) throw new SourceTextError(`${file} changed while it was analysed`)
  return {
    path: file,
    baseSha256: createHash('sha256').update(bytes).digest('hex'),
    content: mark + applySpans(analysed, spans),
  }
}
