import ts from 'typescript'
import { bare, functionOf, isAssignment, isConstant, isLocal, isStep, symbolOf } from '../program/symbols.ts'
import { effectOfMember, isKnownName, isPureConstructor, isPureFunction, libraryOwner } from './built-ins.ts'
import { constantObstacle } from './constants.ts'
import { isFresh } from './fresh.ts'
import { type Obstacle, quote, type View } from './view.ts'

// Does a piece of code depend on its arguments only, and leave everything but its own values alone?
// The examination is of a closed world: every function that the code names is examined, called or not, and constants hold no functions. So a
// call of a parameter or of a local variable can only reach code that was examined as well. What is not known is an obstacle.

/** What was examined already; recursion ends there. */
export type Examined = Set<ts.Node>

const syntaxObstacles: ReadonlyMap<ts.SyntaxKind, string> = new Map([
  [ts.SyntaxKind.ThisKeyword, 'depends on `this`'],
  [ts.SyntaxKind.SuperKeyword, 'depends on `super`'],
  [ts.SyntaxKind.AwaitExpression, 'waits for something'],
  [ts.SyntaxKind.YieldExpression, 'is a generator'],
  [ts.SyntaxKind.MetaProperty, 'reads its module or how it was called'],
  [ts.SyntaxKind.ClassDeclaration, 'declares a class'],
  [ts.SyntaxKind.ClassExpression, 'declares a class'],
  [ts.SyntaxKind.GetAccessor, 'declares an accessor'],
  [ts.SyntaxKind.SetAccessor, 'declares an accessor'],
  [ts.SyntaxKind.WithStatement, 'uses `with`'],
  [ts.SyntaxKind.ImportKeyword, 'imports while it runs'],
  [ts.SyntaxKind.JsxElement, 'makes JSX'],
  [ts.SyntaxKind.JsxSelfClosingElement, 'makes JSX'],
  [ts.SyntaxKind.JsxFragment, 'makes JSX'],
  [ts.SyntaxKind.DebuggerStatement, 'stops for a debugger'],
])

const outsideWorld: Readonly<Record<string, string>> = {
  process: 'reads or changes the process',
  console: 'writes to the console',
  performance: 'reads the clock',
  crypto: 'draws random numbers',
  globalThis: 'reaches global state',
  fetch: 'asks over the network',
  arguments: 'depends on `arguments`',
  eval: 'runs code from a text',
}

/** All obstacles of a function, those of the functions that it names included; none for one that was examined before. */
export function* obstaclesOf(
  view: View,
  fn: ts.FunctionLikeDeclaration,
  examined: Examined,
): Generator<Obstacle> {
  if (examined.has(fn)) return
  examined.add(fn)
  if (ts.getCombinedModifierFlags(fn) & ts.ModifierFlags.Async) yield { what: 'is asynchronous', node: fn }
  if (fn.asteriskToken) yield { what: 'is a generator', node: fn }
  for (const parameter of fn.parameters) yield* obstaclesIn(view, parameter, examined)
  if (fn.body) yield* obstaclesIn(view, fn.body, examined)
}

/** All obstacles in a piece of code. */
export function* obstaclesIn(view: View, node: ts.Node, examined: Examined): Generator<Obstacle> {
  if (ts.isTypeNode(node) || ts.isTypeAliasDeclaration(node) || ts.isInterfaceDeclaration(node)) return
  const what = syntaxObstacles.get(node.kind)
  if (what) yield { what, node }
  else if (ts.isIdentifier(node)) yield* obstaclesOfName(view, node, examined)
  else if (ts.isFunctionLike(node) && 'body' in node)
    yield* obstaclesOf(view, node as ts.FunctionLikeDeclaration, examined)
  else {
    if (ts.isCallExpression(node)) yield* obstaclesOfCall(view, node)
    else if (ts.isNewExpression(node)) yield* obstaclesOfNew(view, node, examined)
    else if (ts.isPropertyAccessExpression(node)) yield* obstaclesOfMember(view, node, examined)
    else yield* obstaclesOfChange(view, node)
    for (const child of evaluatedChildren(node)) yield* obstaclesIn(view, child, examined)
  }
}

/** The parts of a node that are evaluated: no declared names, no property names, no labels. */
function evaluatedChildren(node: ts.Node): ts.Node[] {
  const skipped = new Set<ts.Node | undefined>()
  if (ts.isPropertyAccessExpression(node)) skipped.add(node.name)
  if (ts.isNewExpression(node)) skipped.add(node.expression)
  if (ts.isPropertyAssignment(node) && !ts.isComputedPropertyName(node.name)) skipped.add(node.name)
  if (ts.isBindingElement(node) && node.propertyName && !ts.isComputedPropertyName(node.propertyName)) {
    skipped.add(node.propertyName)
  }
  if (ts.isLabeledStatement(node) || ts.isBreakOrContinueStatement(node)) skipped.add(node.label)
  const children: ts.Node[] = []
  ts.forEachChild(node, (child) => {
    if (!skipped.has(child)) children.push(child)
  })
  return children
}

function* obstaclesOfName(view: View, node: ts.Identifier, examined: Examined): Generator<Obstacle> {
  const symbol = symbolOf(view.checker, node)
  const outside = outsideWorld[node.text]
  if (!symbol?.declarations?.length) {
    if (outside && Object.hasOwn(outsideWorld, node.text)) yield { what: outside, node }
    else if (node.text !== 'undefined') yield { what: `names ${quote(node)}, which is not known`, node }
    return
  }
  const [declaration] = symbol.declarations as [ts.Declaration]
  const own = functionOf(symbol)
  if (own) yield* obstaclesOf(view, own, examined)
  else if (view.own.includes(declaration.getSourceFile()))
    yield* obstaclesOfOwnName(view, node, symbol, examined)
  else if (outside && Object.hasOwn(outsideWorld, node.text)) yield { what: outside, node }
  else if (!view.program.isSourceFileDefaultLibrary(declaration.getSourceFile()) || !isKnownName(node.text)) {
    yield { what: `uses ${quote(node)}, which comes from outside and cannot be looked into`, node }
  }
}

function* obstaclesOfOwnName(
  view: View,
  node: ts.Identifier,
  symbol: ts.Symbol,
  examined: Examined,
): Generator<Obstacle> {
  const declaration = symbol.valueDeclaration
  if (!declaration || ts.isEnumMember(declaration) || ts.isEnumDeclaration(declaration)) return
  if (
    ts.isVariableDeclaration(declaration) ||
    ts.isBindingElement(declaration) ||
    ts.isParameter(declaration)
  ) {
    if (isLocal(declaration)) return
    if (ts.isVariableDeclaration(declaration))
      yield* constantObstacle(view, node, symbol, declaration, examined)
    else yield { what: `reads ${quote(node)}, which is taken out of something else`, node }
    return
  }
  const { parent } = node
  const isModule = ts.isSourceFile(declaration) && !declaration.fileName.endsWith('.json')
  // Of a module imported by namespace the member is judged; the whole of it cannot be.
  if (isModule && ts.isPropertyAccessExpression(parent) && parent.expression === node) return
  yield { what: `uses ${quote(node)}, which is neither a plain function nor plain data`, node }
}

/** A call may go to what was examined, or to what the library promises. Names are judged where they stand; this judges the rest. */
function* obstaclesOfCall(view: View, node: ts.CallExpression): Generator<Obstacle> {
  const callee = bare(node.expression)
  const isNamed = ts.isIdentifier(callee) || ts.isPropertyAccessExpression(callee)
  if (!isNamed && !ts.isArrowFunction(callee) && !ts.isFunctionExpression(callee)) {
    yield { what: `calls ${quote(callee)}, which cannot be followed`, node }
    return
  }
  const symbol = symbolOf(view.checker, ts.isPropertyAccessExpression(callee) ? callee.name : callee)
  if (ts.isIdentifier(callee) && symbol && isOfLibrary(view, symbol) && !isPureFunction(callee.text)) {
    yield { what: `calls ${quote(callee)}, which is not known to be pure`, node }
  }
}

/** Reading or calling a member: of the library by its table; of the target's modules by examining it; of anything else only as data. */
function* obstaclesOfMember(
  view: View,
  node: ts.PropertyAccessExpression,
  examined: Examined,
): Generator<Obstacle> {
  const symbol = symbolOf(view.checker, node.name)
  const call = ts.isCallExpression(node.parent) && node.parent.expression === node ? node.parent : undefined
  if (!symbol) {
    if (call) yield { what: `calls ${quote(node)}, whose type is not known`, node }
    return
  }
  const own = functionOf(symbol)
  if (own) yield* obstaclesOf(view, own, examined)
  else if (ts.isVariableDeclaration(symbol.valueDeclaration ?? node)) {
    yield* obstaclesOfOwnName(view, node.name as ts.Identifier, symbol, examined)
  } else if (isOfLibrary(view, symbol)) yield* obstaclesOfLibraryMember(view, node, symbol, call)
  else if (view.checker.getTypeAtLocation(node).getCallSignatures().length > 0) {
    yield { what: `uses ${quote(node)}, which cannot be followed`, node }
  } else if (!symbol.declarations?.every((each) => view.own.includes(each.getSourceFile()))) {
    yield { what: `reads ${quote(node)}, which comes from outside`, node }
  }
}

function* obstaclesOfLibraryMember(
  view: View,
  node: ts.PropertyAccessExpression,
  symbol: ts.Symbol,
  call: ts.CallExpression | undefined,
): Generator<Obstacle> {
  const owner = libraryOwner(view.program, symbol)
  // `Intl.Collator` is a type, not a member of one; what may be done with it is judged where it is made.
  if (owner === undefined && node.expression.getText() === 'Intl') return
  const effect = owner === undefined ? undefined : effectOfMember(owner, node.name.text)
  if (effect === undefined) yield { what: `uses ${quote(node)}, which is not known to be pure`, node }
  if (effect === 'varies') {
    const what = node.name.text === 'random' ? 'draws random numbers' : 'reads the clock or the time zone'
    yield { what, node, varies: true }
  }
  const changed =
    effect === 'changes' ? node.expression : effect === 'changes argument' ? call?.arguments[0] : undefined
  if (changed && !isHarmlessPattern(view, changed) && !isFresh(view, changed)) yield changes(changed, node)
  if (effect?.startsWith('changes') && !call) yield { what: `hands on ${quote(node)}`, node }
  yield* obstaclesOfPattern(view, owner, node, call)
}

/** A pattern with the flags g or y remembers where it stopped, unless it is written in place or only given to a method that starts anew. */
function* obstaclesOfPattern(
  view: View,
  owner: string | undefined,
  node: ts.PropertyAccessExpression,
  call: ts.CallExpression | undefined,
): Generator<Obstacle> {
  const [pattern] = call?.arguments ?? []
  if (owner !== 'String' || !pattern || view.checker.getTypeAtLocation(pattern).symbol?.name !== 'RegExp')
    return
  const startsAnew = ['match', 'replace', 'replaceAll', 'split', 'search'].includes(node.name.text)
  const flags = flagsOf(view, pattern)
  if (isFresh(view, pattern) || ts.isRegularExpressionLiteral(bare(pattern))) return
  if (flags === undefined || flags.includes('y') || (flags.includes('g') && !startsAnew))
    yield changes(pattern, node)
}

/** `/x/.test(text)`: without g and y nothing is remembered. */
function isHarmlessPattern(view: View, node: ts.Expression): boolean {
  const flags = flagsOf(view, node)
  return ts.isRegularExpressionLiteral(bare(node)) || (flags !== undefined && !/[gy]/.test(flags))
}

function flagsOf(view: View, node: ts.Expression): string | undefined {
  const expression = bare(node)
  if (ts.isRegularExpressionLiteral(expression))
    return expression.text.slice(expression.text.lastIndexOf('/') + 1)
  const declaration = symbolOf(view.checker, expression)?.valueDeclaration
  if (!declaration || !ts.isVariableDeclaration(declaration) || !isConstant(declaration)) return undefined
  const { initializer } = declaration
  return initializer && ts.isRegularExpressionLiteral(initializer) ? flagsOf(view, initializer) : undefined
}

function* obstaclesOfNew(view: View, node: ts.NewExpression, examined: Examined): Generator<Obstacle> {
  const name = node.expression.getText()
  const symbol = symbolOf(view.checker, node.expression)
  if (symbol && isOfLibrary(view, symbol)) {
    if (isPureConstructor(name, node.arguments?.length ?? 0)) return
    const varies = name === 'Date'
    yield {
      what: varies ? 'reads the clock' : `makes a ${name}, which is not known to be pure`,
      node,
      varies,
    }
    return
  }
  const declaration = symbol?.valueDeclaration
  if (declaration && ts.isClassDeclaration(declaration) && ts.isThrowStatement(node.parent)) {
    yield* obstaclesOfThrown(view, declaration, node, examined)
  } else yield { what: `makes an instance of ${quote(node.expression)}`, node }
}

/** An error that is thrown may be of the target's own class, where making it does nothing but fill its fields. */
function* obstaclesOfThrown(
  view: View,
  own: ts.ClassDeclaration,
  node: ts.NewExpression,
  examined: Examined,
): Generator<Obstacle> {
  const base = own.heritageClauses?.find(({ token }) => token === ts.SyntaxKind.ExtendsKeyword)?.types[0]
  const isPlain = own.members.every((member) => !ts.isClassStaticBlockDeclaration(member))
  if (!base || !isPureConstructor(base.expression.getText(), 0) || !isPlain) {
    yield { what: `throws ${quote(node.expression)}, which is more than an error with fields`, node }
    return
  }
  for (const member of own.members) {
    if (ts.isPropertyDeclaration(member) && member.initializer)
      yield* obstaclesIn(view, member.initializer, examined)
    if (ts.isConstructorDeclaration(member) && !fillsFieldsOnly(member)) {
      yield { what: `throws ${quote(node.expression)}, whose constructor does more than fill fields`, node }
    }
  }
}

/** `super(message)` and `this.code = code`, nothing else. */
function fillsFieldsOnly({ body, parameters }: ts.ConstructorDeclaration): boolean {
  const names = new Set(parameters.map(({ name }) => name.getText()))
  const isPlain = (node: ts.Expression) => ts.isLiteralExpression(node) || names.has(node.getText())
  return (body?.statements ?? []).every((statement) => {
    if (!ts.isExpressionStatement(statement)) return false
    const { expression } = statement
    if (ts.isCallExpression(expression)) {
      return expression.expression.kind === ts.SyntaxKind.SuperKeyword && expression.arguments.every(isPlain)
    }
    return (
      ts.isBinaryExpression(expression) &&
      /^this\.\w+$/.test(expression.left.getText()) &&
      isPlain(expression.right)
    )
  })
}

/** Assignments, `++`, `--` and `delete`: a function's own variables and values may change, others not. */
function* obstaclesOfChange(view: View, node: ts.Node): Generator<Obstacle> {
  for (const target of changedBy(node)) {
    const expression = bare(target)
    if (ts.isIdentifier(expression)) {
      const declaration = symbolOf(view.checker, expression)?.valueDeclaration
      if (!declaration || !isLocal(declaration)) yield changes(expression, node)
    } else if (ts.isPropertyAccessExpression(expression) || ts.isElementAccessExpression(expression)) {
      if (!isFresh(view, expression.expression)) yield changes(expression.expression, node)
    } else yield changes(expression, node)
  }
}

function changedBy(node: ts.Node): readonly ts.Expression[] {
  if (isAssignment(node)) return targetsOf(node.left)
  if (ts.isDeleteExpression(node)) return [node.expression]
  if (isStep(node)) return [node.operand]
  if (ts.isForOfStatement(node) || ts.isForInStatement(node)) {
    return ts.isVariableDeclarationList(node.initializer) ? [] : targetsOf(node.initializer)
  }
  return []
}

/** `[a, b] = [b, a]` changes both. */
function targetsOf(node: ts.Expression): readonly ts.Expression[] {
  if (!ts.isArrayLiteralExpression(node)) return [node]
  return node.elements.flatMap((each) => (ts.isOmittedExpression(each) ? [] : targetsOf(each)))
}

function changes(what: ts.Node, node: ts.Node): Obstacle {
  return { what: `changes ${quote(what)}, which it did not make itself`, node }
}

function isOfLibrary(view: View, symbol: ts.Symbol): boolean {
  const declarations = symbol.declarations ?? []
  return (
    declarations.length > 0 &&
    declarations.every((each) => view.program.isSourceFileDefaultLibrary(each.getSourceFile()))
  )
}
