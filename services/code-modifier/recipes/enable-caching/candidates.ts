import ts from 'typescript'
import { pathOf, placeOf } from '../program/program.ts'
import { codeOf, functionOf, type NamedFunction, symbolOf } from '../program/symbols.ts'
import { isDeepReadonly, isPrimitive } from './data-types.ts'
import { memoizedBy } from './memo.ts'
import { obstaclesOf } from './purity.ts'
import { changeOfResult } from './uses.ts'
import { quote, tell, type View } from './view.ts'

/** Why a function's results cannot be shown safe to keep; undefined where they can. Continues a sentence that begins with its name. */
export function objection(view: View, fn: NamedFunction): string | undefined {
  return ofSignature(view, fn) ?? ofBody(view, fn) ?? ofResult(view, fn) ?? ofLoading(view, fn)
}

/** Whether this function gives results of `memoize`, or computes them for it. */
export function isCached({ checker, references }: View, { node, symbol }: NamedFunction): boolean {
  if (memoizedBy(checker, node.parent)) return true
  if (references.of(symbol).some(({ parent }) => memoizedBy(checker, parent))) return true
  const [only, ...more] = node.body && ts.isBlock(node.body) ? node.body.statements : []
  if (!only || more.length > 0 || !ts.isReturnStatement(only) || !only.expression) return false
  if (!ts.isCallExpression(only.expression)) return false
  const called = symbolOf(checker, only.expression.expression)?.valueDeclaration
  return (
    called !== undefined &&
    ts.isVariableDeclaration(called) &&
    memoizedBy(checker, called.initializer) !== undefined
  )
}

function ofSignature({ checker }: View, { node, symbol }: NamedFunction): string | undefined {
  if (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Async)
    return 'is asynchronous: a rejected promise would be kept'
  if (node.asteriskToken) return 'is a generator'
  if ((symbol.declarations?.length ?? 0) > 1) return 'is overloaded, or merged with another declaration'
  if (node.typeParameters?.length) return 'is generic'
  if (node.type && (ts.isTypePredicateNode(node.type) || node.type.getText() === 'never'))
    return 'is a type guard'
  for (const parameter of node.parameters) {
    const type = checker.getTypeAtLocation(parameter)
    if (parameter.dotDotDotToken || !isPrimitive(type)) {
      return `takes ${quote(parameter)}, which is not a plain text, number or boolean that could be a key`
    }
    if (parameter.initializer && !isLiteral(parameter.initializer)) {
      return `computes a default for ${quote(parameter.name)}`
    }
  }
  return undefined
}

function isLiteral(node: ts.Expression): boolean {
  if (ts.isPrefixUnaryExpression(node)) return ts.isNumericLiteral(node.operand)
  return (
    ts.isLiteralExpression(node) ||
    node.kind === ts.SyntaxKind.TrueKeyword ||
    node.kind === ts.SyntaxKind.FalseKeyword ||
    node.kind === ts.SyntaxKind.NullKeyword
  )
}

function ofBody(view: View, { name, node }: NamedFunction): string | undefined {
  const [obstacle] = obstaclesOf(view, node, new Set())
  if (!obstacle) return undefined
  const holder = enclosingName(obstacle.node)
  return holder === undefined || holder === name
    ? tell(view, obstacle)
    : `reaches ${holder}, which ${tell(view, obstacle)}`
}

/** The name of the top-level function around a node. */
function enclosingName(node: ts.Node): string | undefined {
  let name: string | undefined
  for (let at = node; at && !ts.isSourceFile(at); at = at.parent) {
    if (ts.isFunctionDeclaration(at) && at.name) name = at.name.text
    if (
      ts.isVariableDeclaration(at) &&
      ts.isIdentifier(at.name) &&
      at.initializer &&
      ts.isArrowFunction(at.initializer)
    )
      name = at.name.text
  }
  return name
}

/** All callers would share one result. Who may change it spoils it for the others. */
function ofResult(view: View, { node, symbol }: NamedFunction): string | undefined {
  const { checker } = view
  const signature = checker.getSignatureFromDeclaration(node)
  const type = signature && checker.getReturnTypeOfSignature(signature)
  if (!type || type.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown))
    return 'gives a result of no known type'
  if (isPrimitive(type)) return undefined
  if (type.getCallSignatures().length > 0) return 'gives a function, which may keep a state'
  if (checker.getPropertyOfType(type, 'then') || checker.getPropertyOfType(type, 'next')) {
    return 'gives a promise or an iterator, which can be used up'
  }
  const change = changeOfResult(view, symbol, { strict: !isDeepReadonly(checker, type) })
  return change && `gives a result that ${tell(view, change)}`
}

/** The memo is a constant: it does not exist before the module has come to its line. */
function ofLoading(view: View, fn: NamedFunction): string | undefined {
  const file = fn.node.getSourceFile()
  const early = file.statements.slice(0, file.statements.indexOf(fn.statement))
  const reached = new Set<ts.Node>()
  for (const statement of early)
    if (!ts.isFunctionDeclaration(statement)) reach(view, statement, reached, true)
  if (reached.has(fn.node)) return `is called while ${pathOf(view, file)} loads, before a cache could exist`
  const circle = importsBackTo(view, file)
  return circle && `stands in a circle of imports (${circle}), where it may be called before a cache exists`
}

/** The functions that running a piece of code can reach. */
function reach(view: View, node: ts.Node, reached: Set<ts.Node>, isTop: boolean): void {
  if (reached.has(node)) return
  if (!isTop) reached.add(node)
  for (const each of codeOf(node)) {
    if (!ts.isIdentifier(each)) continue
    const symbol = symbolOf(view.checker, each)
    const own = symbol && functionOf(symbol)
    if (own && view.own.includes(own.getSourceFile())) reach(view, own, reached, false)
  }
}

/** A file by which a file imports itself. */
function importsBackTo(view: View, file: ts.SourceFile): string | undefined {
  const seen = new Set<ts.SourceFile>()
  const queue = [file]
  for (const each of queue) {
    for (const imported of importsOf(view, each)) {
      if (imported === file) return placeOf(view, each.statements[0] ?? each)
      if (!seen.has(imported)) queue.push(imported)
      seen.add(imported)
    }
  }
  return undefined
}

function importsOf({ checker, own }: View, file: ts.SourceFile): ts.SourceFile[] {
  return file.statements.flatMap((statement) => {
    const isImport = ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement)
    if (!isImport || !statement.moduleSpecifier || isTypeOnly(statement)) return []
    const target = checker.getSymbolAtLocation(statement.moduleSpecifier)?.valueDeclaration
    return target && ts.isSourceFile(target) && own.includes(target) ? [target] : []
  })
}

function isTypeOnly(node: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  return ts.isExportDeclaration(node) ? node.isTypeOnly : node.importClause?.isTypeOnly === true
}
