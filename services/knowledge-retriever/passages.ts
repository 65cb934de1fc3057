/** A piece of a document's text: `text.slice(offset, offset + length)`, in UTF-16 code units. */
export interface Piece {
  readonly offset: number
  readonly length: number
}

/** A passage is at most this long; a document up to this length is one passage. */
export const maxPassageChars = 1500

/** A shorter section stays with the one before it, so that many headings do not make many passages of nothing. */
const minSectionChars = 300

/**
 * Cuts a text into passages: at headings and between paragraphs where it can, else between sentences, else between words,
 * else anywhere but inside a character. It depends on the text alone. A text without a visible character has no passage.
 */
export function cutIntoPassages(text: string): Piece[] {
  const pieces: Piece[] = []
  let current: Piece | undefined
  for (const block of blocksOf(text)) {
    const end = block.offset + block.length
    const begins = block.startsSection && current !== undefined && current.length >= minSectionChars
    if (current && !begins && end - current.offset <= maxPassageChars) {
      current = { offset: current.offset, length: end - current.offset }
      continue
    }
    if (current) pieces.push(current)
    const cut = cutBlock(text, block)
    current = cut.pop()
    pieces.push(...cut)
  }
  if (current) pieces.push(current)
  return pieces
}

interface Block extends Piece {
  readonly startsSection: boolean
}

/** Paragraphs, without the blank lines around them. A heading belongs to the paragraph that follows it. */
function blocksOf(text: string): Block[] {
  const isShort = text.length <= maxPassageChars
  const blocks: Block[] = []
  for (const match of text.matchAll(/\S(?:[^\n]|\n(?![^\S\n]*(?:\n|$)))*/g)) {
    const paragraph = match[0].trimEnd()
    const startsSection = !isShort && /^#{1,6}\s/.test(paragraph)
    blocks.push({ offset: match.index, length: paragraph.length, startsSection })
  }
  return blocks
}

function cutBlock(text: string, block: Block): Piece[] {
  const pieces: Piece[] = []
  let offset = block.offset
  const end = block.offset + block.length
  while (end - offset > maxPassageChars) {
    const length = cutLength(text.slice(offset, offset + maxPassageChars + 1))
    pieces.push(trimmed(text, offset, offset + length))
    offset += length
    while (offset < end && /\s/.test(text[offset] ?? '')) offset += 1
  }
  if (offset < end) pieces.push(trimmed(text, offset, end))
  return pieces.filter(({ length }) => length > 0)
}

/** How much of `window`, which is one longer than a passage, the next passage takes. */
function cutLength(window: string): number {
  const sentenceEnd = lastMatch(window, /[.!?\u3002\u061f]["')\]]*\s|\n/g)
  if (sentenceEnd > maxPassageChars / 3) return sentenceEnd
  const space = lastMatch(window, /\s/g)
  if (space > maxPassageChars / 3) return space
  const splitsPair = (window.codePointAt(maxPassageChars - 1) ?? 0) > 0xffff
  return splitsPair ? maxPassageChars - 1 : maxPassageChars
}

function lastMatch(text: string, pattern: RegExp): number {
  let end = 0
  for (const match of text.matchAll(pattern)) end = match.index + match[0].length
  return Math.min(end, maxPassageChars)
}

function trimmed(text: string, from: number, to: number): Piece {
  let end = to
  while (end > from && /\s/.test(text[end - 1] ?? '')) end -= 1
  return { offset: from, length: end - from }
}
