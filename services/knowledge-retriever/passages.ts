/** A piece of a document's text: `text.slice(offset, offset + length)`, in UTF-16 code units. */
export interface Piece {
  readonly offset: number
  readonly length: number
}

/** A passage is at most this long; a document up to this length is one passage. */
export const maxPassageChars = 1500

/** A shorter section stays with the one before it, so that many headings do not make many passages of nothing. */
const minSectionChars = 300
/** A cut nearer to the beginning of a passage than this would leave too little in it. */
const minCut = maxPassageChars / 3
/** A text is taken for a program when so many of its lines look like one. */
const codeShare = 0.6
const minCodeLines = 10
/** The lines that are looked at for it. */
const maxLinesLookedAt = 400

const fenceLine = /^ {0,3}(`{3,}|~{3,})/
const headingLine = /^ {0,3}#{1,6}(?:\s|$)/
const underline = /^ {0,3}(?:=+|-{2,})\s*$/
const codeLine =
  /[{};]\s*$|^(?:\t| {2,})\S|^\s*(?:import|export|from|def|class|func|fn|function|return|if|else|for|while|const|let|var|public|private|static|use|package|type|interface|struct|#include|@\w+|\/\/|\/\*|\*)(?![\w-])/

/**
 * Cuts a text into passages: at headings, between paragraphs and around fenced code where it can, else between sentences
 * (in code between lines), else between words, else anywhere but inside a character. A heading stays with what follows it.
 * It depends on the text alone. A text without a visible character has no passage.
 */
export function cutIntoPassages(text: string): Piece[] {
  const pieces: Piece[] = []
  let current: Piece | undefined
  for (const block of withHeadings(blocksOf(text))) {
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
  /** A heading alone. */
  readonly isHeading: boolean
  /** Lines mean more in it than sentences. */
  readonly isCode: boolean
}

/** Joins each heading that stands alone with the block behind it. */
function* withHeadings(blocks: Iterable<Block>): Generator<Block> {
  let heading: Block | undefined
  for (const block of blocks) {
    const offset: number = heading?.offset ?? block.offset
    const startsSection: boolean = heading?.startsSection ?? block.startsSection
    const joined: Block = { ...block, offset, length: block.offset + block.length - offset, startsSection }
    heading = block.isHeading ? joined : undefined
    if (heading === undefined) yield joined
  }
  if (heading) yield heading
}

interface Line extends Piece {
  readonly text: string
}

function* linesOf(text: string): Generator<Line> {
  for (let offset = 0; offset < text.length; ) {
    const end = text.indexOf('\n', offset)
    const length = (end < 0 ? text.length : end) - offset
    yield { offset, length, text: text.slice(offset, offset + length) }
    offset += length + 1
  }
}

/** Paragraphs, headings and fenced code, without the blank lines around them. */
function* blocksOf(text: string): Generator<Block> {
  const isShort = text.length <= maxPassageChars
  const isProgram = !isShort && looksLikeCode(text)
  let block: Line[] = []
  let fence: string | undefined
  const ended = (): Block[] => {
    const lines = block
    block = []
    return lines.length === 0 ? [] : [blockOf(lines, { isShort, isProgram })]
  }
  for (const line of linesOf(text)) {
    const marks = isProgram ? undefined : fenceLine.exec(line.text)?.[1]
    if (fence !== undefined) {
      block.push(line)
      if (marks?.startsWith(fence) && line.text.trim() === marks) {
        fence = undefined
        yield* ended()
      }
      continue
    }
    const isBlank = line.text.trim() === ''
    if (isBlank || marks !== undefined || (!isProgram && headingLine.test(line.text))) yield* ended()
    if (isBlank) continue
    fence = marks
    block.push(line)
  }
  yield* ended()
}

function blockOf(lines: readonly Line[], all: { isShort: boolean; isProgram: boolean }): Block {
  const [first, second] = lines as [Line, Line | undefined]
  const last = lines.at(-1) as Line
  const lead = first.text.length - first.text.trimStart().length
  const offset = first.offset + lead
  const length = last.offset + last.text.trimEnd().length - offset
  const isFenced = !all.isProgram && fenceLine.test(first.text)
  const isMarked = !all.isProgram && !isFenced && headingLine.test(first.text)
  const isUnderlined = !all.isProgram && second !== undefined && underline.test(second.text)
  const isHeading = (isMarked && lines.length === 1) || (isUnderlined && lines.length === 2)
  // In a program, what is not indented after a blank line begins something new.
  const begins = all.isProgram ? lead === 0 && !/^[})\]]/.test(first.text) : isMarked || isUnderlined
  return {
    offset,
    length,
    startsSection: !all.isShort && begins,
    isHeading,
    isCode: isFenced || all.isProgram,
  }
}

function looksLikeCode(text: string): boolean {
  let lines = 0
  let likeCode = 0
  for (const line of linesOf(text)) {
    if (line.text.trim() === '') continue
    // Markdown may quote a program; then it is the fences that tell.
    if (fenceLine.test(line.text)) return false
    lines += 1
    if (codeLine.test(line.text)) likeCode += 1
    if (lines === maxLinesLookedAt) break
  }
  return lines >= minCodeLines && likeCode / lines >= codeShare
}

function cutBlock(text: string, block: Block): Piece[] {
  const pieces: Piece[] = []
  let offset = block.offset
  const end = block.offset + block.length
  while (end - offset > maxPassageChars) {
    const window = text.slice(offset, offset + maxPassageChars + 1)
    const length = (block.isCode && cutAtLine(window)) || cutLength(window)
    pieces.push(trimmed(text, offset, offset + length))
    offset += length
    while (offset < end && /\s/.test(text[offset] ?? '')) offset += 1
  }
  if (offset < end) pieces.push(trimmed(text, offset, end))
  return pieces.filter(({ length }) => length > 0)
}

/** Where code is cut: before a blank line, else before a line that is not indented, else at a line's end; 0: nowhere. */
function cutAtLine(window: string): number {
  for (const pattern of [/\n[^\S\n]*\n/g, /\n(?=[^\s})\]])/g, /\n/g]) {
    const end = lastMatch(window, pattern)
    if (end > minCut) return end
  }
  return 0
}

/** How much of `window`, which is one longer than a passage, the next passage takes. */
function cutLength(window: string): number {
  const sentenceEnd = lastMatch(window, /[.!?\u3002\u061f]["')\]]*\s|\n/g)
  if (sentenceEnd > minCut) return sentenceEnd
  const space = lastMatch(window, /\s/g)
  if (space > minCut) return space
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
