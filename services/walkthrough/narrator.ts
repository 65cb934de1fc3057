import { styleText } from 'node:util'

/** What the walk-through tells, to a person or to a machine. */
export interface Narrator {
  /** A chapter begins. */
  chapter(title: string): void
  /** Something is so; `facts` are for machines. */
  tell(text: string, facts?: Readonly<Record<string, unknown>>): void
  /** A stage of the loop is done. */
  stage(name: string, text: string, facts?: Readonly<Record<string, unknown>>): void
  /** How a long stage gets on. */
  progress(name: string, text: string): void
  /** Lines that are shown as they are, such as a diff or a log. */
  verbatim(title: string, text: string): void
  /** A check of the walk-through: whether a thing came out as it should. */
  check(text: string, passed: boolean): void
}

type Write = (line: string) => void

const stageWidth = 10

/** For a terminal: a line a thing, stages in columns. */
export function createTeller(write: Write, elapsedMs: () => number): Narrator {
  const clock = () => styleText('dim', `${(elapsedMs() / 1000).toFixed(1).padStart(6)} s `)
  const column = (name: string) => name.padEnd(stageWidth)
  return {
    chapter: (title) => write(`\n${styleText('bold', title)}`),
    tell: (text) => write(`${clock()} ${text}`),
    stage: (name, text) => write(`${clock()} ${styleText('cyan', column(name))} ${text}`),
    progress: (name, text) => write(`${clock()} ${styleText('dim', `${column(name)} · ${text}`)}`),
    verbatim: (title, text) => write(`\n  ${title}\n${indent(colourDiff(text))}\n`),
    check: (text, passed) =>
      write(`${clock()} ${passed ? styleText('green', 'ok  ') : styleText('red', 'NOT ')} ${text}`),
  }
}

/** For a machine: one JSON object a line. */
export function createJsonTeller(write: Write, elapsedMs: () => number): Narrator {
  const line = (kind: string, fields: object) =>
    write(JSON.stringify({ kind, elapsed_ms: Math.round(elapsedMs()), ...fields }))
  return {
    chapter: (title) => line('chapter', { title }),
    tell: (text, facts) => line('tell', { text, ...facts }),
    stage: (name, text, facts) => line('stage', { stage: name, text, ...facts }),
    progress: (name, text) => line('progress', { stage: name, text }),
    verbatim: (title, text) => line('verbatim', { title, text }),
    check: (text, passed) => line('check', { text, passed }),
  }
}

function indent(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n')
}

function colourDiff(text: string): string {
  if (!text.includes('\n@@ ')) return text
  const colour = (line: string) => {
    if (line.startsWith('+')) return styleText('green', line)
    return line.startsWith('-') ? styleText('red', line) : line
  }
  return text.split('\n').map(colour).join('\n')
}
