import ts from 'typescript'
import type { TargetProgram } from '../program/program.ts'
import { isWrapper, References, symbolOf } from '../program/symbols.ts'

// The signal of `fetch` covers the body too: reading it with `.json()` after the headers came is cut as well. That is wanted for an answer that is
// read at once. One that is read piece by piece, or by someone else later, may rightly take longer than any single answer.

/** Why the answer of an awaited `fetch` may be in use for longer than a call takes; undefined where it is read in place. */
export function outlivesCall(target: TargetProgram, call: ts.CallExpression): string | undefined {
  const awaited = awaitOf(call)
  return awaited && lookAt(new References(target), target, awaited)
}

function awaitOf(call: ts.CallExpression): ts.AwaitExpression | undefined {
  let node: ts.Node = call
  // Not through `.then(…)`: what that gives is not the answer any more.
  while (isWrapper(node.parent)) node = node.parent
  return ts.isAwaitExpression(node.parent) ? node.parent : undefined
}

function lookAt(references: References, target: TargetProgram, node: ts.Node): string | undefined {
  let value = node
  while (isWrapper(value.parent)) value = value.parent
  const { parent } = value
  if (ts.isPropertyAccessExpression(parent) && parent.name.text === 'body')
    return 'its answer is read as a stream'
  if (ts.isReturnStatement(parent) || ts.isArrowFunction(parent))
    return 'its answer is handed on before it is read'
  if (!ts.isVariableDeclaration(parent)) return undefined
  if (!ts.isIdentifier(parent.name)) {
    const takesBody = parent.name.elements.some(
      (each) => !ts.isOmittedExpression(each) && (each.propertyName ?? each.name).getText() === 'body',
    )
    return takesBody ? 'its answer is read as a stream' : undefined
  }
  const symbol = symbolOf(target.checker, parent.name)
  for (const reference of symbol ? references.of(symbol) : []) {
    const reason = lookAt(references, target, reference)
    if (reason) return reason
  }
  return undefined
}
