/**
 * Reads the PromQL of an indicator. Only what the governor can compute exactly from its own signal source is understood:
 * `sum(m{…})`, `sum(rate(m{…}[5m]))`, `sum(increase(m{…}[5m]))` and the same without `sum`, over Istio's standard metrics.
 * Everything else is refused by name, because a query that is half understood gives a wrong budget.
 */
export interface IndicatorQuery {
  readonly metric: string
  readonly matchers: readonly Matcher[]
}

export interface Matcher {
  readonly label: string
  readonly operator: '=' | '!=' | '=~' | '!~'
  readonly value: string
}

/** A query that is not understood. The message quotes the part. */
export class QueryError extends Error {
  override readonly name = 'QueryError'
}

const maxQueryLength = 2_000
const maxMatchers = 20

const tokenGrammar =
  /\s*(?:([a-zA-Z_:][a-zA-Z0-9_:]*)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(\[[0-9smhdwy]+\])|(=~|!~|!=|[=(){},]))/y

/** Parses one query. Errors: QueryError. */
export function parseIndicatorQuery(text: string): IndicatorQuery {
  if (text.length > maxQueryLength) throw new QueryError(`it is longer than ${maxQueryLength} characters`)
  const tokens = new Tokens(tokensOf(text))
  const query = readSum(tokens)
  const rest = tokens.next()
  if (rest !== undefined) throw new QueryError(`${JSON.stringify(rest)} after the end of what is understood`)
  return query
}

function tokensOf(text: string): string[] {
  const tokens: string[] = []
  tokenGrammar.lastIndex = 0
  const length = text.trimEnd().length
  while (tokenGrammar.lastIndex < length) {
    const at = tokenGrammar.lastIndex
    const match = tokenGrammar.exec(text)
    if (!match) throw new QueryError(`${JSON.stringify(text.slice(at, at + 20).trim())} is not understood`)
    tokens.push(match[0].trim())
  }
  return tokens
}

class Tokens {
  readonly #tokens: readonly string[]
  #position = 0

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens
  }

  peek(): string | undefined {
    return this.#tokens[this.#position]
  }

  next(): string | undefined {
    this.#position += 1
    return this.#tokens[this.#position - 1]
  }

  take(expected: string): void {
    const found = this.next()
    if (found !== expected) throw new QueryError(`${expected} is expected, not ${found ?? 'the end'}`)
  }
}

function readSum(tokens: Tokens): IndicatorQuery {
  if (tokens.peek() !== 'sum') return readVector(tokens)
  tokens.next()
  if (tokens.peek() !== '(')
    throw new QueryError(`sum ${tokens.peek() ?? ''}: only sum(…) over everything is understood`)
  tokens.take('(')
  const query = readVector(tokens)
  tokens.take(')')
  return query
}

/** `rate` and `increase` do not change a ratio of two counters, so their range only has to be there. */
function readVector(tokens: Tokens): IndicatorQuery {
  const name = tokens.next()
  if (name === undefined || !/^[a-zA-Z_:]/.test(name)) {
    throw new QueryError(`a metric is expected, not ${name ?? 'the end'}`)
  }
  if (tokens.peek() !== '(') return readSelector(name, tokens)
  if (!['rate', 'increase'].includes(name)) throw new QueryError(`the function ${name}() is not understood`)
  tokens.take('(')
  const query = readSelector(tokens.next() ?? '', tokens)
  const range = tokens.next()
  if (!range?.startsWith('[')) throw new QueryError(`${name}() needs a range such as [5m]`)
  tokens.take(')')
  return query
}

function readSelector(metric: string, tokens: Tokens): IndicatorQuery {
  const matchers: Matcher[] = []
  if (tokens.peek() !== '{') return { metric, matchers }
  tokens.take('{')
  while (tokens.peek() !== '}') {
    if (matchers.length === maxMatchers) throw new QueryError(`it has more than ${maxMatchers} matchers`)
    matchers.push(readMatcher(tokens))
    if (tokens.peek() !== '}') tokens.take(',')
  }
  tokens.take('}')
  return { metric, matchers }
}

function readMatcher(tokens: Tokens): Matcher {
  const label = tokens.next() ?? ''
  const operator = tokens.next() ?? ''
  const quoted = tokens.next() ?? ''
  if (!/^[a-zA-Z_]/.test(label) || !/^(=|!=|=~|!~)$/.test(operator) || !/^["']/.test(quoted)) {
    throw new QueryError(`a matcher such as le="250" is expected, not ${label}${operator}${quoted}`)
  }
  const value = quoted.slice(1, -1)
  if (value.includes('\\')) throw new QueryError(`the escape in ${quoted} is not understood`)
  return { label, operator: operator as Matcher['operator'], value }
}
