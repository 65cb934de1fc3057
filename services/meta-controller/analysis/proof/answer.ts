import type { Obligation, Values, Verdict } from './obligation.ts'

/** What a solver made of a script: its output with the values asked for, or why there is none. */
export type SolverAnswer =
  | { readonly kind: 'answered'; readonly output: string; readonly values: string; readonly ms: number }
  | { readonly kind: 'unanswered'; readonly reason: string; readonly ms: number }

const maxShownChars = 200

/** Pure: the verdict on an obligation from the solver's words. Whatever is not plainly `sat` or `unsat` is "not proven". */
export function verdictOf(obligation: Obligation, answer: SolverAnswer): Verdict {
  const { property, name, statement, smt } = obligation
  const common = { property, name, statement, smt, ms: answer.ms }
  if (answer.kind === 'unanswered') return { ...common, status: 'not proven', reason: answer.reason }
  const word = answer.output.trim()
  if (word === 'unsat') return { ...common, status: 'proven' }
  if (word !== 'sat') return { ...common, status: 'not proven', reason: reasonOf(word) }
  const values = readValues(answer.values, obligation.questions)
  if (values === undefined) {
    return {
      ...common,
      status: 'not proven',
      reason: `the solver gave no readable counterexample: ${cut(answer.values)}`,
    }
  }
  const words = obligation.explain(values)
  return { ...common, status: 'refuted', counterexample: { words, values: Object.fromEntries(values) } }
}

/** The verdict on what no solver was asked. */
export function unasked(obligation: Obligation, reason: string): Verdict {
  return verdictOf(obligation, { kind: 'unanswered', reason, ms: 0 })
}

function reasonOf(word: string): string {
  if (word === '') return 'the solver answered nothing'
  if (word.startsWith('unknown')) return 'the solver could not tell within its bound of work'
  return `the solver answered ${cut(word)}`
}

function cut(text: string): string {
  const line = text.replace(/\s+/gu, ' ').trim()
  return line.length > maxShownChars ? `${line.slice(0, maxShownChars)} …` : line
}

type Expression = string | readonly Expression[]

/**
 * Reads the answer to `(get-value (…))`: pairs of a term and its value, in the order of the question. Undefined when it is anything else.
 * Example: readValues('((|a| (/ 1.0 4.0)))', ['a']) is a → 0.25.
 */
export function readValues(text: string, names: readonly string[]): Values | undefined {
  if (names.length === 0) return new Map()
  const pairs = readExpression(text)
  if (!Array.isArray(pairs) || pairs.length !== names.length) return undefined
  const values = new Map<string, number>()
  for (const [index, pair] of pairs.entries()) {
    const value = Array.isArray(pair) && pair.length === 2 ? valueOfExpression(pair[1]) : undefined
    if (value === undefined) return undefined
    values.set(names[index] as string, value)
  }
  return values
}

function valueOfExpression(expression: Expression | undefined): number | undefined {
  if (expression === undefined) return undefined
  if (typeof expression === 'string') {
    if (expression === 'true') return 1
    if (expression === 'false') return 0
    return /^\d+(\.\d+)?$/u.test(expression) ? Number(expression) : undefined
  }
  const [operator, first, second] = expression
  const left = valueOfExpression(first)
  if (left === undefined) return undefined
  if (operator === '-' && expression.length === 2) return -left
  const right = valueOfExpression(second)
  return operator === '/' && right !== undefined && right !== 0 ? left / right : undefined
}

const maxDepth = 8

/** One S-expression with nothing behind it; quoted symbols may hold blanks and brackets. */
function readExpression(text: string): Expression | undefined {
  const stack: Expression[][] = [[]]
  for (const [token] of text.matchAll(/\|[^|]*\||[()]|[^\s()|]+/gu)) {
    if (token === '(') {
      if (stack.length > maxDepth) return undefined
      stack.push([])
    } else if (token === ')') {
      const list = stack.pop()
      const outer = stack.at(-1)
      if (list === undefined || outer === undefined) return undefined
      outer.push(list)
    } else stack.at(-1)?.push(token)
  }
  return stack.length === 1 && stack[0]?.length === 1 ? stack[0][0] : undefined
}
