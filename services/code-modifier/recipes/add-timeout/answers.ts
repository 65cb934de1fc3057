import ts from 'typescript'
import type { TargetProgram } from '../program/program.ts'
import { isWrapper, References, symbolOf } from '../program/symbols.ts'

// The signal of `fetch` covers the body too: reading it with `.json()` after the headers came is cut as well. That is wanted for an answer that is
// read at once. One that is read piece by piece, or by someone else later, may rightly take longer than any single answer.

/** Why the answer of an awaited `fetch` may be in use for longer than a call takes; undefined where it is read in place. */
export function outlivesCall(target: TargetProgram, call: ts.CallExpression): string | undefined {
  return lookAt(new References(target), target, call)
}

/** What happens to the answer, or to its promise, that an expression gives. */
function lookAt(references: References, target: TargetProgram, node: ts.Node): string | undefined {
  const { parent } = node
  if (isPassedThrough(parent, node)) return lookAt(references, target, parent)
  if (ts.isPropertyAccessExpression(parent)) return lookAtMember(references, target, parent)
  if (ts.isReturnStatement(parent) || ts.isArrowFunction(parent))
    return 'its answer is handed on before it is read'
  return ts.isVariableDeclaration(parent) ? lookAtName(references, target, parent.name) : undefined
}

/** `await …`, parentheses, `a ?? b`, `c ? a : b`. */
function isPassedThrough(parent: ts.Node, node: ts.Node): boolean {
  if (ts.isConditionalExpression(parent)) return parent.condition !== node
  const isChoice =
    ts.isBinaryExpression(parent) &&
    [ts.SyntaxKind.QuestionQuestionToken, ts.SyntaxKind.BarBarToken].includes(parent.operatorToken.kind)
  return isWrapper(parent) || ts.isAwaitExpression(parent) || isChoice
}

/** `answer.body`, or a link of the chain `fetch(url).catch(…).then((answer) => …)`. */
function lookAtMember(
  references: References,
  target: TargetProgram,
  member: ts.PropertyAccessExpression,
): string | undefined {
  const { text } = member.name
  const call = member.parent
  if (text === 'body') return 'its answer is read as a stream'
  if (!ts.isCallExpression(call) || call.expression !== member) return undefined
  if (text === 'catch' || text === 'finally') return lookAt(references, target, call)
  const [callback] = text === 'then' ? call.arguments : []
  const isInline = callback && (ts.isArrowFunction(callback) || ts.isFunctionExpression(callback))
  return isInline && callback.parameters[0]
    ? lookAtName(references, target, callback.parameters[0].name)
    : undefined
}

function lookAtName(references: References, target: TargetProgram, name: ts.BindingName): string | undefined {
  if (!ts.isIdentifier(name)) {
    const names = name.elements.map((each) =>
      ts.isOmittedExpression(each) ? '' : (each.propertyName ?? each.name).getText(),
    )
    return names.includes('body') ? 'its answer is read as a stream' : undefined
  }
  const symbol = symbolOf(target.checker, name)
  for (const reference of symbol ? references.of(symbol) : []) {
    const reason = lookAt(references, target, reference)
    if (reason) return reason
  }
  return undefined
}
