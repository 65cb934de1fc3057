/** One line of a Prometheus text exposition (format 0.0.4). */
export interface ExposedSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** Thrown for a text that is not an exposition; a part of one is not taken. */
export class TextFormatError extends Error {
  override readonly name = 'TextFormatError'
}

const maxLabels = 64
const nameGrammar = /[a-zA-Z_:][a-zA-Z0-9_:]*/y
const labelGrammar = /[a-zA-Z_][a-zA-Z0-9_]*/y
const numberGrammar = /^[+-]?(\d+(?:\.\d*)?|\.\d+)(e[+-]?\d+)?$/i

/**
 * Reads a whole exposition, at most `maxSamples` samples. Comments, types and time stamps are passed over: the time of a
 * sample is that of the scrape. Errors: TextFormatError naming the line.
 */
export function parseTextFormat(text: string, maxSamples: number): ExposedSample[] {
  const samples: ExposedSample[] = []
  let lineNumber = 0
  for (const line of text.split('\n')) {
    lineNumber += 1
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#')) continue
    if (samples.length >= maxSamples) throw new TextFormatError(`there are more than ${maxSamples} samples`)
    try {
      samples.push(new Line(trimmed).sample())
    } catch (error) {
      if (!(error instanceof TextFormatError)) throw error
      throw new TextFormatError(`line ${lineNumber}: ${error.message}`)
    }
  }
  return samples
}

/** `name{label="value",…} value [timestamp]`, read from left to right. */
class Line {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  sample(): ExposedSample {
    const name = this.#match(nameGrammar, 'a metric name')
    this.#skipBlanks()
    const labels = this.#text[this.#at] === '{' ? this.#labels() : {}
    const [value, timestamp, ...rest] = this.#text
      .slice(this.#at)
      .trim()
      .split(/[ \t]+/)
    if (rest.length > 0 || (timestamp !== undefined && !/^-?\d+$/.test(timestamp))) {
      throw new TextFormatError('there is more than a value and a time stamp')
    }
    return { name, labels, value: parseValue(value ?? '') }
  }

  #labels(): Record<string, string> {
    const labels: Record<string, string> = {}
    this.#at += 1
    for (let count = 0; ; count += 1) {
      this.#skipBlanks()
      if (this.#take('}')) return labels
      if (count >= maxLabels) throw new TextFormatError(`there are more than ${maxLabels} labels`)
      const label = this.#match(labelGrammar, 'a label name')
      this.#skipBlanks()
      this.#need('=')
      this.#skipBlanks()
      this.#need('"')
      if (Object.hasOwn(labels, label)) throw new TextFormatError(`label ${label} is there twice`)
      labels[label] = this.#quoted()
      this.#skipBlanks()
      if (!this.#take(',') && this.#text[this.#at] !== '}') throw new TextFormatError('the labels do not end')
    }
  }

  #quoted(): string {
    let value = ''
    for (;;) {
      const character = this.#text[this.#at]
      if (character === undefined) throw new TextFormatError('a label value does not end')
      this.#at += 1
      if (character === '"') return value
      value += character === '\\' ? this.#escaped() : character
    }
  }

  #escaped(): string {
    const character = this.#text[this.#at]
    this.#at += 1
    if (character === 'n') return '\n'
    if (character === '\\' || character === '"') return character
    throw new TextFormatError(`\\${character ?? ''} is not an escape`)
  }

  #match(grammar: RegExp, what: string): string {
    grammar.lastIndex = this.#at
    const found = grammar.exec(this.#text)?.[0]
    if (found === undefined) throw new TextFormatError(`${what} is missing`)
    this.#at += found.length
    return found
  }

  #need(character: string): void {
    if (!this.#take(character)) throw new TextFormatError(`${character} is missing`)
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at += 1
    return true
  }

  #skipBlanks(): void {
    while (this.#text[this.#at] === ' ' || this.#text[this.#at] === '\t') this.#at += 1
  }
}

function parseValue(text: string): number {
  if (numberGrammar.test(text)) return Number(text)
  const folded = text.toLowerCase()
  if (folded === 'nan') return Number.NaN
  if (['+inf', 'inf'].includes(folded)) return Number.POSITIVE_INFINITY
  if (folded === '-inf') return Number.NEGATIVE_INFINITY
  throw new TextFormatError(`${JSON.stringify(text)} is not a number`)
}
