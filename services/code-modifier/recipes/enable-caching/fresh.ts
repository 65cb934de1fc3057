import ts from 'typescript'
import { bare, codeOf, functionOf, isAssignment, isLocal, symbolOf } from '../program/symbols.ts'
import { isPureConstructor, libraryOwner } from './built-ins.ts'
import { holdsPrimitives, isPrimitive } from './data-types.ts'
import type { View } from './view.ts'

// Whose value is it? A function may change what it made itself, since nobody else can see it; anything else it must leave alone.
// A value is *fresh* where it was made during the call that uses it. It is *deeply* fresh where all that can be reached from it is, too.
// Every answer is a conjunction over what the value is made of, so a node that was asked about before in the same search may count as true.

interface Search {
  readonly view: View
  readonly deep: boolean
  readonly seen: { readonly shallow: Set<ts.Node>; readonly deep: Set<ts.Node> }
}

/** Methods that give a new list, map or iterator; what it holds may still be shared. */
const makesNew = new Set(
  (
    'split slice map filter concat toSorted toReversed toSpliced with flat flatMap from of entries keys values fromEntries match matchAll toArray ' +
    'groupBy union intersection difference'
  ).split(' '),
)
/** Methods that give their receiver. */
const givesReceiver = new Set(['sort', 'reverse', 'fill', 'copyWithin', 'set', 'add'])
/** Methods that give something that the receiver holds. */
const givesElement = new Set(['get', 'at', 'pop', 'shift', 'find', 'findLast'])
/** Methods that put something into the receiver, with the position of the first argument that they put. */
const putsFrom: Readonly<Record<string, number>> = { push: 0, unshift: 0, splice: 2, set: 0, add: 0, fill: 0 }

/** Whether an expression's value was made here and so may be changed: `list` in `const list = []`, or `rows[0]` where all rows are new too. */
export function isFresh(view: View, node: ts.Expression): boolean {
  return isMadeHere({ view, deep: false, seen: { shallow: new Set(), deep: new Set() } }, node)
}

function isDeeplyFresh(search: Search, node: ts.Expression): boolean {
  if (isPrimitive(search.view.checker.getTypeAtLocation(node))) return true
  const deep = { ...search, deep: true }
  return putsOnlyFresh(deep, node) && isMadeHere(deep, node)
}

function isMadeHere(search: Search, expression: ts.Expression): boolean {
  const node = bare(expression)
  const seen = search.deep ? search.seen.deep : search.seen.shallow
  if (seen.has(node) || isPrimitive(search.view.checker.getTypeAtLocation(node))) return true
  seen.add(node)
  if (ts.isArrayLiteralExpression(node)) return node.elements.every((each) => isFreshElement(search, each))
  if (ts.isObjectLiteralExpression(node))
    return node.properties.every((each) => isFreshProperty(search, each))
  if (ts.isConditionalExpression(node))
    return isMadeHere(search, node.whenTrue) && isMadeHere(search, node.whenFalse)
  if (ts.isBinaryExpression(node)) return isFreshChoice(search, node)
  if (ts.isNewExpression(node)) return isFreshInstance(search, node)
  if (ts.isCallExpression(node)) return isFreshCall(search, node)
  if (ts.isIdentifier(node)) return isFreshVariable(search, node)
  const isPart = ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node)
  return isPart && isDeeplyFresh(search, node.expression)
}

function isFreshElement(search: Search, node: ts.Expression): boolean {
  if (ts.isSpreadElement(node)) return sharesNothing(search, node.expression)
  return !search.deep || isDeeplyFresh(search, node)
}

function isFreshProperty(search: Search, property: ts.ObjectLiteralElementLike): boolean {
  if (!search.deep) return true
  if (ts.isPropertyAssignment(property)) return isDeeplyFresh(search, property.initializer)
  if (ts.isShorthandPropertyAssignment(property)) return isDeeplyFresh(search, property.name)
  return ts.isSpreadAssignment(property) && sharesNothing(search, property.expression)
}

/** A container whose elements go into a new one: they are shared unless they are primitives or were made here. */
function sharesNothing(search: Search, node: ts.Expression): boolean {
  const { checker } = search.view
  return (
    !search.deep || holdsPrimitives(checker, checker.getTypeAtLocation(node)) || isDeeplyFresh(search, node)
  )
}

function isFreshChoice(search: Search, { left, right, operatorToken }: ts.BinaryExpression): boolean {
  if (operatorToken.kind === ts.SyntaxKind.EqualsToken) return isMadeHere(search, right)
  const isChoice =
    operatorToken.kind === ts.SyntaxKind.QuestionQuestionToken ||
    operatorToken.kind === ts.SyntaxKind.BarBarToken
  return isChoice && isMadeHere(search, left) && isMadeHere(search, right)
}

function isFreshInstance(search: Search, node: ts.NewExpression): boolean {
  const given = node.arguments ?? []
  if (!isPureConstructor(node.expression.getText(), given.length)) return false
  return given.every((each) => sharesNothing(search, each))
}

function isFreshCall(search: Search, node: ts.CallExpression): boolean {
  const { view } = search
  const callee = bare(node.expression)
  const symbol = symbolOf(view.checker, ts.isPropertyAccessExpression(callee) ? callee.name : callee)
  if (!symbol) return false
  const own = functionOf(symbol)
  if (own) return returnsFresh(search, own)
  if (!ts.isPropertyAccessExpression(callee)) return callee.getText() === 'Array'
  const owner = libraryOwner(view.program, symbol)
  const method = callee.name.text
  if (owner === undefined) return false
  if (owner === 'ObjectConstructor' && (method === 'freeze' || method === 'assign')) {
    return node.arguments[0] !== undefined && isMadeHere(search, node.arguments[0])
  }
  if (givesReceiver.has(method)) return isMadeHere(search, callee.expression)
  if (makesNew.has(method)) return !search.deep || isDeepCopy(search, node, callee)
  return givesElement.has(method) && isDeeplyFresh(search, callee.expression)
}

/** `Array.from({ length }, () => new Array(n).fill(0))`: what the new list holds are primitives, or were made by the callback. */
function isDeepCopy(search: Search, node: ts.CallExpression, callee: ts.PropertyAccessExpression): boolean {
  const { checker } = search.view
  if (holdsPrimitives(checker, checker.getTypeAtLocation(node))) return true
  const callback = node.arguments.find((each) => ts.isArrowFunction(each) || ts.isFunctionExpression(each))
  if (callback && ['map', 'from', 'flatMap'].includes(callee.name.text)) return returnsFresh(search, callback)
  return ts.isPropertyAccessExpression(callee) && isDeeplyFresh(search, callee.expression)
}

function returnsFresh(search: Search, own: ts.FunctionLikeDeclaration): boolean {
  if (!own.body || (search.deep && !putsOnlyFresh(search, own.body))) return false
  if (!ts.isBlock(own.body)) return isMadeHere(search, own.body)
  return returnsOf(own.body).every(({ expression }) => expression && isMadeHere(search, expression))
}

/** The return statements of a body, those of functions inside it left out. */
export function returnsOf(body: ts.Node): ts.ReturnStatement[] {
  if (ts.isReturnStatement(body)) return [body]
  const found: ts.ReturnStatement[] = []
  ts.forEachChild(body, (child) => {
    if (!ts.isFunctionLike(child)) found.push(...returnsOf(child))
  })
  return found
}

/** A variable is fresh where each value that it is ever given is. */
function isFreshVariable(search: Search, node: ts.Identifier): boolean {
  const symbol = symbolOf(search.view.checker, node)
  const declaration = symbol?.valueDeclaration
  if (!symbol || !declaration || !ts.isVariableDeclaration(declaration) || !isLocal(declaration)) return false
  const loop = declaration.parent.parent
  if (ts.isForOfStatement(loop)) return isDeeplyFresh(search, loop.expression)
  const given = [declaration.initializer, ...assignedTo(search.view, symbol)].filter(
    (each) => each !== undefined,
  )
  return given.length > 0 && given.every((each) => isMadeHere(search, each))
}

function assignedTo(view: View, symbol: ts.Symbol): ts.Expression[] {
  return view.references.of(symbol).flatMap((node) => {
    const { parent } = node
    return isAssignment(parent) && parent.left === node ? [parent.right] : []
  })
}

/** Whether the function around a node puts only fresh things into other things, so that what it made stays its own all the way down. */
function putsOnlyFresh(search: Search, node: ts.Node): boolean {
  let outermost: ts.Node = node
  for (let at = node; at && !ts.isSourceFile(at); at = at.parent) if (ts.isFunctionLike(at)) outermost = at
  if (search.seen.deep.has(outermost)) return true
  search.seen.deep.add(outermost)
  return [...codeOf(outermost)].every((each) => putIn(each).every((put) => isFreshElement(search, put)))
}

/** What a piece of code puts into something else. */
function putIn(node: ts.Node): readonly ts.Expression[] {
  if (ts.isBinaryExpression(node))
    return isAssignment(node) && !ts.isIdentifier(node.left) ? [node.right] : []
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return []
  const method = node.expression.name.text
  return Object.hasOwn(putsFrom, method) ? node.arguments.slice(putsFrom[method]) : []
}
