import ts from 'typescript'
import type { BenchmarkedOperation } from '../outcome.ts'
import type { TargetProgram } from '../program/program.ts'
import { References, symbolOf } from '../program/symbols.ts'

/** How long a call may take, and why. */
export interface Deadline {
  readonly timeoutMs: number
  /** Continues "after n ms, ". */
  readonly reason: string
}

const leastMs = 50
const mostMs = 600_000
const p99s = 3

/**
 * Three times the p99 of the slowest benchmarked operation that reaches the call, at least 50 ms. An operation reaches it where a function or
 * a property of its name (case aside; for `shop.v1.Shop/CheckStock` that is `checkstock`) encloses the call, or names a function that
 * does, and so on. Where none is tied to the call this way, the slowest of all counts: rather too long than too short. Undefined without a benchmark.
 */
export function deriveDeadline(
  target: TargetProgram,
  call: ts.Node,
  benchmark: readonly BenchmarkedOperation[],
): Deadline | undefined {
  const measured = benchmark.filter(({ p99Ms }) => Number.isFinite(p99Ms) && p99Ms >= 0)
  const names = namesThatReach(target, call)
  const tied = measured.filter(({ operation }) => names.has(shortName(operation)))
  const [slowest] = (tied.length > 0 ? tied : measured).toSorted((a, b) => b.p99Ms - a.p99Ms)
  if (!slowest) return undefined
  const timeoutMs = Math.min(mostMs, Math.max(leastMs, Math.ceil(p99s * slowest.p99Ms)))
  const which =
    tied.length > 0 ? `${slowest.operation}, which reaches it` : `${slowest.operation}, the slowest operation`
  const least = timeoutMs === leastMs ? `, but no less than ${leastMs} ms` : ''
  return { timeoutMs, reason: `${p99s} times the p99 (${slowest.p99Ms.toFixed(1)} ms) of ${which}${least}` }
}

/** `storefront.v1.StorefrontService/CheckStock` → `checkstock`. */
function shortName(operation: string): string {
  return (
    operation
      .split(/[/.:#\s]/)
      .filter((part) => part !== '')
      .at(-1)
      ?.toLowerCase() ?? ''
  )
}

/** The names, in small letters, of all functions and properties from which a call can be reached. */
function namesThatReach(target: TargetProgram, call: ts.Node): Set<string> {
  const references = new References(target)
  const names = new Set<string>()
  const seen = new Set<ts.Symbol>()
  const climb = (from: ts.Node) => {
    for (let node = from; node && !ts.isSourceFile(node); node = node.parent) {
      const name = nameOf(node)
      if (name) names.add(name.text.toLowerCase())
      const symbol = name && symbolOf(target.checker, name)
      if (!symbol || seen.has(symbol)) continue
      seen.add(symbol)
      for (const reference of references.of(symbol))
        if (target.sources.includes(reference.getSourceFile())) climb(reference)
    }
  }
  climb(call)
  return names
}

function nameOf(node: ts.Node): ts.Identifier | undefined {
  const named =
    ts.isFunctionDeclaration(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isPropertyAssignment(node) ||
    ts.isVariableDeclaration(node) ||
    ts.isShorthandPropertyAssignment(node)
  return named && node.name && ts.isIdentifier(node.name) ? node.name : undefined
}
