import ts from 'typescript'
import { bare, functionOf, isAssignment, isStep, isWrapper, symbolOf } from '../program/symbols.ts'
import { effectOfMember, isPureConstructor, isPureFunction, libraryOwner } from './built-ins.ts'
import { holdsPrimitives, isDeepReadonly, isPrimitive } from './data-types.ts'
import { type Obstacle, quote, type View } from './view.ts'

// Who could change a value that several share? Starting from an expression this follows where its value, or a part of it, goes. In *strict* mode,
// for types that allow changes, each use must be shown to leave it alone. For a value whose type is read only all the way down the compiler
// has checked most of that; what is left are the ways around it: casts, and properties that are assigned to a type where they are not read only.

export interface FollowOptions {
  readonly strict: boolean
}

const choices = [
  ts.SyntaxKind.QuestionQuestionToken,
  ts.SyntaxKind.BarBarToken,
  ts.SyntaxKind.AmpersandAmpersandToken,
  ts.SyntaxKind.CommaToken,
]

const comparisons = [
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
  ts.SyntaxKind.EqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsToken,
]

interface Follow extends FollowOptions {
  /** A result is a new object each time until it is kept; then two may be the same one. */
  readonly isResult: boolean
  readonly view: View
  readonly seen: Set<ts.Node>
}

/** How a value might be changed by what happens to this expression, as in "is given to `sort`, which may change it"; undefined where it cannot be. */
export function changeOfValue(view: View, node: ts.Expression, options: FollowOptions): Obstacle | undefined {
  return follow({ ...options, view, isResult: false, seen: new Set() }, node)
}

/** The same for whatever a function gives: every place that names the function is looked at. */
export function changeOfResult(view: View, symbol: ts.Symbol, options: FollowOptions): Obstacle | undefined {
  return followCalls({ ...options, view, isResult: true, seen: new Set() }, symbol)
}

function followCalls(context: Follow, symbol: ts.Symbol): Obstacle | undefined {
  return first(context.view.references.of(symbol), (reference) => {
    const { parent } = reference
    if (ts.isExportSpecifier(parent) || ts.isExportAssignment(parent) || ts.isTypeQueryNode(parent))
      return undefined
    const callee = ts.isPropertyAccessExpression(parent) && parent.name === reference ? parent : reference
    const call = callee.parent
    if (ts.isCallExpression(call) && call.expression === callee) return follow(context, call)
    return context.strict
      ? found('is out of sight where the function itself is handed on', reference)
      : undefined
  })
}

/** Looks at what surrounds an expression: that is what happens to its value. */
function follow(context: Follow, node: ts.Expression): Obstacle | undefined {
  if (context.seen.has(node)) return undefined
  context.seen.add(node)
  const { checker } = context.view
  if (isPrimitive(checker.getTypeAtLocation(node))) return undefined
  const { parent } = node
  if (isWrapper(parent)) return followCast(context, parent)
  if (ts.isPropertyAccessExpression(parent) || ts.isElementAccessExpression(parent)) {
    return parent.expression === node ? followPart(context, parent) : undefined
  }
  if (ts.isCallExpression(parent) || ts.isNewExpression(parent)) return followArgument(context, parent, node)
  if (ts.isVariableDeclaration(parent)) return followName(context, parent.name, node)
  if (ts.isForOfStatement(parent)) return followLoop(context, parent)
  if (ts.isReturnStatement(parent)) return followReturn(context, parent, node)
  if (ts.isArrowFunction(parent)) return followReturn(context, parent, node)
  if (ts.isBinaryExpression(parent)) return followOperator(context, parent, node)
  return followIntoContainer(context, parent, node)
}

function followCast(context: Follow, node: ts.Expression): Obstacle | undefined {
  if (ts.isAsExpression(node) && !ts.isConstTypeReference(node.type)) {
    const type = context.view.checker.getTypeFromTypeNode(node.type)
    if (
      !isPrimitive(type) &&
      !isDeepReadonly(context.view.checker, type) &&
      !(type.flags & ts.TypeFlags.Unknown)
    ) {
      return found(`is cast to ${quote(node.type)}`, node)
    }
  }
  return follow(context, node)
}

/** `value.part`, `value[0]`, `value.method()`. */
function followPart(
  context: Follow,
  node: ts.PropertyAccessExpression | ts.ElementAccessExpression,
): Obstacle | undefined {
  const isOfCopy =
    !context.strict && isCopy(context.view, context.view.checker.getTypeAtLocation(node.expression))
  if (isWritten(node)) return isOfCopy ? undefined : found('is changed', node)
  const { parent } = node
  if (!ts.isCallExpression(parent) || parent.expression !== node) return follow(context, node)
  if (ts.isElementAccessExpression(node)) return found(`has ${quote(node)} called, which may change it`, node)
  const symbol = symbolOf(context.view.checker, node.name)
  const owner = symbol && libraryOwner(context.view.program, symbol)
  const effect = owner && effectOfMember(owner, node.name.text)
  if (effect === 'pure' || effect === 'varies') return followMethod(context, parent)
  if (effect === 'changes') return isOfCopy ? follow(context, parent) : found('is changed', node)
  return found(`has ${quote(node.name)} called, which may change it`, node)
}

/** A method that only reads may still hand the value's elements to a callback, or give them as its result. */
function followMethod(context: Follow, call: ts.CallExpression): Obstacle | undefined {
  const given = first(call.arguments, (argument) => followCallback(context, argument, accumulatorOf(call)))
  if (given || givesOnlyReturned(call)) return given
  return follow(context, call)
}

/** The result of `list.map(each => …)` holds what the callback returns, which is followed from there, and nothing else of the list. */
function givesOnlyReturned({ expression, arguments: given }: ts.CallExpression): boolean {
  if (!ts.isPropertyAccessExpression(expression)) return false
  const [callback] = given
  const isInline = callback !== undefined && inlineOf(callback) !== undefined
  const { text } = expression.name
  return isInline && (text === 'map' || text === 'flatMap' || (text.startsWith('reduce') && given.length > 1))
}

/** `list.reduce(callback, start)`: the callback's first parameter is what was started with, not a part of the list. */
function accumulatorOf({ expression, arguments: given }: ts.CallExpression): number {
  const isReduce = ts.isPropertyAccessExpression(expression) && expression.name.text.startsWith('reduce')
  return isReduce && given.length > 1 ? 1 : 0
}

function followCallback(context: Follow, argument: ts.Expression, from: number): Obstacle | undefined {
  const callback: ts.Expression = bare(argument)
  const symbol = ts.isIdentifier(callback) ? symbolOf(context.view.checker, callback) : undefined
  const own: ts.FunctionLikeDeclaration | undefined = inlineOf(callback) ?? (symbol && functionOf(symbol))
  if (own) return first(own.parameters.slice(from), ({ name }) => followName(context, name, name))
  const isFunction = context.view.checker.getTypeAtLocation(callback).getCallSignatures().length > 0
  return isFunction && !(symbol && isPureFunction(symbol.name))
    ? found(`is given to ${quote(callback)}, which may change it`, argument)
    : undefined
}

function inlineOf(node: ts.Expression): ts.FunctionLikeDeclaration | undefined {
  return ts.isArrowFunction(node) || ts.isFunctionExpression(node) ? node : undefined
}

function followArgument(
  context: Follow,
  call: ts.CallExpression | ts.NewExpression,
  node: ts.Expression,
): Obstacle | undefined {
  const { view } = context
  const position = call.arguments?.indexOf(node) ?? -1
  if (position < 0) return found('is called', call)
  const callee = bare(call.expression)
  const symbol = symbolOf(view.checker, ts.isPropertyAccessExpression(callee) ? callee.name : callee)
  const own = symbol && functionOf(symbol)
  if (own) {
    const parameter = own.parameters[Math.min(position, own.parameters.length - 1)]
    return parameter ? followName(context, parameter.name, node) : undefined
  }
  if (isHarmlessLibrary(view, call, callee, symbol)) {
    const rest = ts.isCallExpression(call)
      ? first(call.arguments, (each) => (each === node ? undefined : followCallback(context, each, 0)))
      : undefined
    return rest ?? follow(context, call)
  }
  if (isKnownPut(view, callee, symbol))
    return followReceiver(context, callee as ts.PropertyAccessExpression, node)
  if (!context.strict && readsOnly(view, call, position)) return undefined
  return found(`is given to ${quote(call.expression)}, which may change it`, node)
}

/**
 * Whether code that cannot be looked into only reads what it gets here: by the type of its parameter, or because it is Node's own, which changes
 * nothing whose type is read only. A generic type or `any` of someone else promises nothing.
 */
function readsOnly(view: View, call: ts.CallExpression | ts.NewExpression, position: number): boolean {
  const declaration = view.checker.getResolvedSignature(call)?.declaration
  const parameter = declaration?.parameters[Math.min(position, declaration.parameters.length - 1)]
  if (!declaration || !parameter || !ts.isParameter(parameter)) return false
  const file = declaration.getSourceFile()
  if (view.program.isSourceFileDefaultLibrary(file)) return false
  if (file.fileName.includes('/@types/node/')) return true
  const whole = view.checker.getTypeAtLocation(parameter)
  const type = parameter.dotDotDotToken ? view.checker.getIndexTypeOfType(whole, ts.IndexKind.Number) : whole
  return type !== undefined && ((type.flags & ts.TypeFlags.Unknown) !== 0 || acceptsOnlyToRead(view, type))
}

/** Calls of the library that only read what they are given: `JSON.stringify(value)`, `new Set(value)`, `Object.keys(value)`, `[].concat(value)`. */
function isHarmlessLibrary(
  view: View,
  call: ts.CallExpression | ts.NewExpression,
  callee: ts.Expression,
  symbol: ts.Symbol | undefined,
): boolean {
  if (!symbol?.declarations?.every((each) => view.program.isSourceFileDefaultLibrary(each.getSourceFile())))
    return false
  if (ts.isNewExpression(call)) return isPureConstructor(callee.getText(), call.arguments?.length ?? 0)
  if (!ts.isPropertyAccessExpression(callee)) return isPureFunction(callee.getText())
  const owner = libraryOwner(view.program, symbol)
  if (owner === undefined) return false
  // What is frozen is still what it was.
  if (owner === 'ObjectConstructor' && callee.name.text === 'freeze') return true
  return ['pure', 'varies'].includes(effectOfMember(owner, callee.name.text) ?? '')
}

/** `list.push(value)`: the value is in the list from now on, so the list is followed. */
function isKnownPut(view: View, callee: ts.Expression, symbol: ts.Symbol | undefined): boolean {
  if (!ts.isPropertyAccessExpression(callee) || !symbol) return false
  const owner = libraryOwner(view.program, symbol)
  return owner !== undefined && effectOfMember(owner, callee.name.text) === 'changes'
}

function followReceiver(
  context: Follow,
  callee: ts.PropertyAccessExpression,
  node: ts.Expression,
): Obstacle | undefined {
  const type = context.view.checker.getTypeAtLocation(callee.expression)
  if (!context.strict && isCopy(context.view, type)) return undefined
  return found(`is put into ${quote(callee.expression)}, where it cannot be followed`, node)
}

/**
 * A list, map or set that may be changed though what it holds may not. The compiler takes nothing read only for one, so that it holds parts
 * of the value at most.
 */
function isCopy(view: View, type: ts.Type): boolean {
  if (!/^(Array|Map|Set)$/.test(type.symbol?.name ?? '')) return false
  const inside = view.checker.getTypeArguments(type as ts.TypeReference)
  return inside.length > 0 && inside.every((each) => isDeepReadonly(view.checker, each) || isCopy(view, each))
}

/** What receives a read-only value and is itself of a read-only type, or a copy, will not change it. */
function acceptsOnlyToRead(view: View, type: ts.Type): boolean {
  return isDeepReadonly(view.checker, type) || isCopy(view, type)
}

/** The names that a value gets, taken apart or not: each place that uses one is followed. */
function followName(context: Follow, name: ts.BindingName, from: ts.Node): Obstacle | undefined {
  if (!ts.isIdentifier(name)) {
    return first(name.elements, (each) =>
      ts.isOmittedExpression(each) ? undefined : followName(context, each.name, from),
    )
  }
  const { view, strict, seen } = context
  if (seen.has(name)) return undefined
  seen.add(name)
  const type = view.checker.getTypeAtLocation(name)
  if (isPrimitive(type)) return undefined
  const isUntyped = (type.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) !== 0
  if (!strict && !isUntyped && !acceptsOnlyToRead(view, type)) {
    return found(`becomes ${quote(name)}, whose type allows changes`, from)
  }
  const symbol = symbolOf(view.checker, name)
  return symbol && first(view.references.of(symbol), (reference) => follow(context, reference))
}

function followLoop(context: Follow, loop: ts.ForOfStatement): Obstacle | undefined {
  if (!ts.isVariableDeclarationList(loop.initializer))
    return found('is walked over into something else', loop)
  return first(loop.initializer.declarations, ({ name }) => followName(context, name, loop.expression))
}

/** What a callback of the library returns is part of that call's result; what a function of the target returns goes to its callers. */
function followReturn(context: Follow, parent: ts.Node, node: ts.Expression): Obstacle | undefined {
  let own: ts.Node = parent
  while (!ts.isFunctionLike(own) && !ts.isSourceFile(own)) own = own.parent
  const call = own.parent
  if (ts.isCallExpression(call) && call.arguments.includes(own as ts.Expression)) return follow(context, call)
  if (!context.strict) {
    const signature = context.view.checker.getSignatureFromDeclaration(own as ts.SignatureDeclaration)
    if (signature && acceptsOnlyToRead(context.view, signature.getReturnType())) return undefined
  }
  const name = ts.isFunctionDeclaration(own)
    ? own.name
    : ts.isVariableDeclaration(call)
      ? call.name
      : undefined
  const symbol = name && symbolOf(context.view.checker, name)
  return symbol ? followCalls(context, symbol) : found('is returned to where it cannot be followed', node)
}

function followOperator(
  context: Follow,
  parent: ts.BinaryExpression,
  node: ts.Expression,
): Obstacle | undefined {
  if (isAssignment(parent)) return parent.left === node ? undefined : followAssigned(context, parent, node)
  const { kind } = parent.operatorToken
  if (choices.includes(kind)) return follow(context, parent)
  const other = parent.left === node ? parent.right : parent.left
  const comparesIdentity =
    comparisons.includes(kind) && !isPrimitive(context.view.checker.getTypeAtLocation(other))
  return context.isResult && comparesIdentity ? found('is compared by identity', parent) : undefined
}

function followAssigned(
  context: Follow,
  parent: ts.BinaryExpression,
  node: ts.Expression,
): Obstacle | undefined {
  const { view } = context
  const target = bare(parent.left)
  const declaration = ts.isIdentifier(target) ? symbolOf(view.checker, target)?.valueDeclaration : undefined
  if (declaration && ts.isVariableDeclaration(declaration)) return followName(context, declaration.name, node)
  if (!context.strict && acceptsOnlyToRead(view, view.checker.getTypeAtLocation(target))) return undefined
  return found(`is put into ${quote(target)}, where it cannot be followed`, node)
}

/** What stays: literals that the value becomes a part of, and positions that only look at it. */
function followIntoContainer(context: Follow, parent: ts.Node, node: ts.Expression): Obstacle | undefined {
  const { checker } = context.view
  if (ts.isConditionalExpression(parent))
    return parent.condition === node ? undefined : follow(context, parent)
  if (ts.isSpreadElement(parent) || ts.isSpreadAssignment(parent)) return followSpread(context, parent, node)
  if (ts.isArrayLiteralExpression(parent)) return followLiteral(context, parent, node)
  if (ts.isPropertyAssignment(parent) || ts.isShorthandPropertyAssignment(parent)) {
    return parent.name === node && ts.isPropertyAssignment(parent)
      ? undefined
      : followLiteral(context, parent.parent, node)
  }
  if (ts.isDeleteExpression(parent)) return found('is changed', parent)
  if (ts.isAwaitExpression(parent)) return follow(context, parent)
  const looksOnly =
    ts.isExpressionStatement(parent) ||
    ts.isIfStatement(parent) ||
    ts.isTypeOfExpression(parent) ||
    ts.isVoidExpression(parent) ||
    ts.isTemplateSpan(parent) ||
    ts.isPrefixUnaryExpression(parent) ||
    ts.isForInStatement(parent) ||
    ts.isExportSpecifier(parent) ||
    ts.isTypeQueryNode(parent) ||
    ts.isIterationStatement(parent, false)
  if (looksOnly) return undefined
  const type = checker.getContextualType(node)
  if (!context.strict && type && acceptsOnlyToRead(context.view, type)) return undefined
  return found('is used in a way that cannot be followed', node)
}

function followLiteral(context: Follow, literal: ts.Expression, node: ts.Expression): Obstacle | undefined {
  const type = context.view.checker.getContextualType(node)
  if (!context.strict && type && acceptsOnlyToRead(context.view, type)) return undefined
  return follow(context, literal)
}

/** A copy of the container shares its elements only. */
function followSpread(
  context: Follow,
  parent: ts.SpreadElement | ts.SpreadAssignment,
  node: ts.Expression,
): Obstacle | undefined {
  if (holdsPrimitives(context.view.checker, context.view.checker.getTypeAtLocation(node))) return undefined
  const container = parent.parent
  if (ts.isCallExpression(container) || ts.isNewExpression(container))
    return found('is spread into a call', node)
  return followLiteral(context, container as ts.Expression, node)
}

function isWritten(node: ts.Expression): boolean {
  const { parent } = node
  if (isWrapper(parent)) return isWritten(parent)
  if (isAssignment(parent)) return parent.left === node
  if (ts.isArrayLiteralExpression(parent)) return isAssignment(parent.parent) && parent.parent.left === parent
  return isStep(parent) || ts.isDeleteExpression(parent)
}

function found(what: string, node: ts.Node): Obstacle {
  return { what, node }
}

function first<T>(items: Iterable<T>, look: (item: T) => Obstacle | undefined): Obstacle | undefined {
  for (const item of items) {
    const obstacle = look(item)
    if (obstacle) return obstacle
  }
  return undefined
}
