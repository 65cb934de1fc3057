import ts from 'typescript'
import { bare, isAssignment, isStep } from '../program/symbols.ts'
import { isData, isDeepReadonly, isPrimitive } from './data-types.ts'
import { memoizedBy } from './memo.ts'
import { type Examined, obstaclesIn } from './purity.ts'
import { changeOfValue } from './uses.ts'
import { type Obstacle, quote, tell, type View } from './view.ts'

/**
 * Why what a module holds may not count as constant: it is given anew, its value comes from code that cannot be followed, it holds functions,
 * or something changes it. The value of a constant is taken once, so it may come from the clock; it may not be shared with what changes.
 */
export function* constantObstacle(
  view: View,
  node: ts.Identifier,
  symbol: ts.Symbol,
  declaration: ts.VariableDeclaration,
  examined: Examined,
): Generator<Obstacle> {
  if (examined.has(declaration)) return
  examined.add(declaration)
  if (view.references.of(symbol).some(isGiven)) {
    yield { what: `reads ${quote(node)}, which changes`, node }
    return
  }
  const memoized = memoizedBy(view.checker, declaration.initializer)
  if (memoized) {
    yield* obstaclesIn(view, memoized, examined)
    return
  }
  const type = view.checker.getTypeAtLocation(declaration.name)
  if (isPrimitive(type)) return
  if (!declaration.initializer || !isData(view.checker, type)) {
    yield { what: `reads ${quote(node)}, which is not plain data`, node }
    return
  }
  // A set of its own: a function that may read the clock here may not where the candidate itself calls it.
  const inside = new Set([...examined].filter(ts.isVariableDeclaration))
  for (const obstacle of obstaclesIn(view, declaration.initializer, inside)) {
    if (!obstacle.varies) yield { what: `reads ${quote(node)}, whose value ${tell(view, obstacle)}`, node }
  }
  const strict = !isDeepReadonly(view.checker, type)
  for (const reference of view.references.of(symbol)) {
    const change = changeOfValue(view, reference, { strict })
    if (change) {
      yield { what: `reads ${quote(node)}, which ${tell(view, change)}`, node }
      return
    }
  }
}

/** Whether a variable is given a new value here. */
function isGiven(node: ts.Identifier): boolean {
  const { parent } = node
  if (isAssignment(parent)) return bare(parent.left) === node
  if (isStep(parent)) return true
  const isLoop = ts.isForOfStatement(parent) || ts.isForInStatement(parent)
  return (isLoop && parent.initializer === node) || isInAssignmentPattern(node)
}

function isInAssignmentPattern(node: ts.Node): boolean {
  const { parent } = node
  if (ts.isArrayLiteralExpression(parent) || ts.isObjectLiteralExpression(parent)) {
    const { parent: outer } = parent
    if (ts.isBinaryExpression(outer) && outer.left === parent)
      return outer.operatorToken.kind === ts.SyntaxKind.EqualsToken
    return isInAssignmentPattern(parent)
  }
  return (
    (ts.isShorthandPropertyAssignment(parent) || ts.isPropertyAssignment(parent)) &&
    isInAssignmentPattern(parent)
  )
}
