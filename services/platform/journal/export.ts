import { canonicalJson } from '../canonical-json.ts'
import { emptyHead, faultOf, type Head } from './chain.ts'
import { type Journal, type JournalEvent, JournalInputError } from './journal.ts'

const format = 'nexus-journal/1'

/** The last line of an export: without it a line cut off at the end would go unnoticed. */
interface Closing {
  readonly closing: {
    readonly format: string
    readonly stream: string
    readonly count: number
    readonly head: string
  }
}

/** What `verifyExport` found. `line` counts from 1. */
export interface ExportVerdict {
  readonly ok: boolean
  /** How many events were good, from the first on. */
  readonly events: number
  readonly fault?: { readonly line: number; readonly reason: string }
}

/**
 * One stream as NDJSON: each event in canonical JSON (ASCII), then a closing line with their count and the last hash.
 * Errors: those of `read`, and JournalInputError for a stream without events.
 */
export async function exportJournal(journal: Journal, stream: string): Promise<string> {
  const events = await journal.read(stream)
  const last = events.at(-1)
  if (!last) throw new JournalInputError(`journal stream ${stream} has no events to export`)
  return [...events.map((event) => canonicalJson(event)), canonicalJson(closingOf(last)), ''].join('\n')
}

/**
 * Checks an export without the journal that it came from. Any changed, missing, added or reordered byte is a fault.
 * What it cannot know is whether somebody rewrote the whole of it: compare the closing line's `head` with one kept elsewhere.
 */
export function verifyExport(text: string): ExportVerdict {
  const lines = text.split('\n')
  let head: Head = emptyHead
  let stream: string | undefined
  for (const [index, line] of lines.entries()) {
    const fault = (reason: string): ExportVerdict => ({
      ok: false,
      events: head.sequence,
      fault: { line: index + 1, reason },
    })
    const value = parseLine(line)
    if (value === undefined) return fault('it is not a line of canonical JSON')
    if ('closing' in value)
      return (
        closingVerdict(line, head, stream, lines.slice(index + 1)) ??
        fault('it is not the closing line of these events')
      )
    stream ??= value.stream
    const reason = faultOf(stream, head, value)
    if (reason) return fault(reason)
    head = value
  }
  return {
    ok: false,
    events: head.sequence,
    fault: { line: lines.length, reason: 'the closing line is missing' },
  }
}

/** The event or closing line that a line holds; undefined unless the line is exactly its canonical text. */
function parseLine(line: string): JournalEvent | Closing | undefined {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value !== 'object' || value === null || canonicalJson(value) !== line) return undefined
    return value as JournalEvent | Closing
  } catch {
    return undefined
  }
}

function closingVerdict(
  line: string,
  head: Head,
  stream: string | undefined,
  rest: readonly string[],
): ExportVerdict | undefined {
  if (stream === undefined || rest.length !== 1 || rest[0] !== '') return undefined
  if (line !== canonicalJson(closingOf({ stream, sequence: head.sequence, hash: head.hash })))
    return undefined
  return { ok: true, events: head.sequence }
}

function closingOf(last: Pick<JournalEvent, 'stream' | 'sequence' | 'hash'>): Closing {
  return { closing: { format, stream: last.stream, count: last.sequence, head: last.hash } }
}
