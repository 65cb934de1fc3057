import { createTwoFilesPatch } from 'diff'

/** A text file before and after; null where it does not exist. */
export interface FileChange {
  readonly path: string
  readonly before: string | null
  readonly after: string | null
}

export interface Diff {
  /** Unified, as `git diff` prints it without its index lines. */
  readonly text: string
  readonly linesAdded: number
  readonly linesRemoved: number
}

const contextLines = 3

/** The unified diff of files, sorted by path. A file that did not change gives nothing. */
export function diffOf(changes: readonly FileChange[]): Diff {
  const changed = changes
    .filter(({ before, after }) => before !== after)
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
  const text = changed.map(patchOf).join('')
  const lines = text.split('\n')
  return {
    text,
    linesAdded: lines.filter((line) => line.startsWith('+') && !line.startsWith('+++ ')).length,
    linesRemoved: lines.filter((line) => line.startsWith('-') && !line.startsWith('--- ')).length,
  }
}

function patchOf({ path, before, after }: FileChange): string {
  const from = before === null ? '/dev/null' : `a/${path}`
  const to = after === null ? '/dev/null' : `b/${path}`
  const patch = createTwoFilesPatch(from, to, before ?? '', after ?? '', undefined, undefined, {
    context: contextLines,
  })
  return patch.slice(patch.indexOf('--- '))
}
