import ts from 'typescript'
import type { TargetProgram } from './program.ts'

/** A function with a name at the top level of a module: a declaration, or a constant that holds one. */
export interface NamedFunction {
  readonly name: string
  readonly symbol: ts.Symbol
  readonly node: ts.FunctionDeclaration | ts.FunctionExpression | ts.ArrowFunction
  /** The statement of the module that declares it. */
  readonly statement: ts.FunctionDeclaration | ts.VariableStatement
}

/** What a name or an expression stands for, imports followed to what they import. */
export function symbolOf(checker: ts.TypeChecker, node: ts.Node): ts.Symbol | undefined {
  const { parent } = node
  let symbol: ts.Symbol | undefined
  if (parent && ts.isShorthandPropertyAssignment(parent) && parent.name === node) {
    symbol = checker.getShorthandAssignmentValueSymbol(parent)
  } else if (parent && ts.isExportSpecifier(parent)) {
    symbol = checker.getExportSpecifierLocalTargetSymbol(parent)
  } else symbol = checker.getSymbolAtLocation(node)
  if (symbol && symbol.flags & ts.SymbolFlags.Alias) symbol = checker.getAliasedSymbol(symbol)
  return symbol
}

/** An expression without the parentheses and type assertions around it. */
export function bare(node: ts.Expression): ts.Expression {
  return isWrapper(node) ? bare(node.expression) : node
}

/** Parentheses and type assertions: they change nothing of the value. */
export function isWrapper(
  node: ts.Node,
): node is ts.ParenthesizedExpression | ts.AsExpression | ts.SatisfiesExpression | ts.NonNullExpression {
  return (
    ts.isParenthesizedExpression(node) ||
    ts.isAsExpression(node) ||
    ts.isSatisfiesExpression(node) ||
    ts.isNonNullExpression(node) ||
    ts.isTypeAssertionExpression(node)
  )
}

/** `a = b`, `a += b`, `a ??= b`, … */
export function isAssignment(node: ts.Node): node is ts.AssignmentExpression<ts.AssignmentOperatorToken> {
  if (!ts.isBinaryExpression(node)) return false
  const { kind } = node.operatorToken
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment
}

/** `a++`, `--a`. */
export function isStep(node: ts.Node): node is ts.PrefixUnaryExpression | ts.PostfixUnaryExpression {
  if (ts.isPostfixUnaryExpression(node)) return true
  if (!ts.isPrefixUnaryExpression(node)) return false
  return node.operator === ts.SyntaxKind.PlusPlusToken || node.operator === ts.SyntaxKind.MinusMinusToken
}

/** Every node below (and with) this one, types left out. */
export function* codeOf(node: ts.Node): Generator<ts.Node> {
  yield node
  const children: ts.Node[] = []
  ts.forEachChild(node, (child) => {
    if (!ts.isTypeNode(child) || ts.isExpressionWithTypeArguments(child)) children.push(child)
  })
  for (const child of children) yield* codeOf(child)
}

/** The functions with a name at the top level of a file. */
export function namedFunctions({ checker }: TargetProgram, file: ts.SourceFile): NamedFunction[] {
  return file.statements.flatMap((statement): NamedFunction[] => {
    if (ts.isFunctionDeclaration(statement) && statement.name && statement.body) {
      const symbol = checker.getSymbolAtLocation(statement.name)
      return symbol ? [{ name: statement.name.text, symbol, node: statement, statement }] : []
    }
    if (!ts.isVariableStatement(statement) || !(statement.declarationList.flags & ts.NodeFlags.Const))
      return []
    return statement.declarationList.declarations.flatMap((declaration) => {
      const node = declaration.initializer && memoized(declaration.initializer)
      if (!node || !(ts.isArrowFunction(node) || ts.isFunctionExpression(node))) return []
      const symbol = checker.getSymbolAtLocation(declaration.name)
      return symbol ? [{ name: symbol.name, symbol, node, statement }] : []
    })
  })
}

/** In `memoize((n: number) => …, options)` the function that has the name is the argument. */
function memoized(node: ts.Expression): ts.Expression {
  const [first] = ts.isCallExpression(node) && node.expression.getText() === 'memoize' ? node.arguments : []
  return first ?? node
}

/** The code of a symbol that is a function of the target: what runs when it is called. */
export function functionOf(symbol: ts.Symbol): ts.FunctionLikeDeclaration | undefined {
  const declaration = symbol.valueDeclaration
  if (!declaration) return undefined
  if (ts.isFunctionDeclaration(declaration)) {
    return symbol.declarations?.filter(ts.isFunctionDeclaration).find((each) => each.body)
  }
  if (!ts.isVariableDeclaration(declaration) || !isConstant(declaration) || !declaration.initializer)
    return undefined
  const value = bare(declaration.initializer)
  return ts.isArrowFunction(value) || ts.isFunctionExpression(value) ? value : undefined
}

export function isConstant(declaration: ts.VariableDeclaration): boolean {
  return (ts.getCombinedNodeFlags(declaration) & ts.NodeFlags.BlockScoped) === ts.NodeFlags.Const
}

/** Whether a declaration stands in a function, so that each call has its own. */
export function isLocal(declaration: ts.Declaration): boolean {
  for (let node: ts.Node = declaration.parent; node; node = node.parent) {
    if (ts.isFunctionLike(node) || ts.isClassStaticBlockDeclaration(node)) return true
  }
  return ts.isParameter(declaration)
}

/** Every place of the target's own code that names a symbol, its declarations left out. */
export class References {
  readonly #checker: ts.TypeChecker
  readonly #identifiers = new Map<string, ts.Identifier[]>()
  /** By exported name: the names under which files import it. */
  readonly #renames = new Map<string, Set<string>>()
  readonly #found = new Map<ts.Symbol, readonly ts.Identifier[]>()

  constructor({ checker, own }: TargetProgram) {
    this.#checker = checker
    for (const file of own) for (const node of codeOf(file)) if (ts.isIdentifier(node)) this.#note(node)
  }

  of(symbol: ts.Symbol): readonly ts.Identifier[] {
    const known = this.#found.get(symbol)
    if (known) return known
    const found = [...this.#namesOf(symbol)].flatMap((name) =>
      (this.#identifiers.get(name) ?? []).filter(
        (node) => !isDeclaredName(node) && symbolOf(this.#checker, node) === symbol,
      ),
    )
    this.#found.set(symbol, found)
    return found
  }

  #note(node: ts.Identifier): void {
    const nodes = this.#identifiers.get(node.text)
    if (nodes) nodes.push(node)
    else this.#identifiers.set(node.text, [node])
    const { parent } = node
    if ((ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent)) && parent.propertyName) {
      this.#rename(parent.propertyName.text, parent.name.text)
    }
    if (ts.isImportClause(parent)) this.#rename('default', node.text)
  }

  #rename(from: string, to: string): void {
    this.#renames.set(from, (this.#renames.get(from) ?? new Set()).add(to))
  }

  #namesOf(symbol: ts.Symbol): Set<string> {
    const names = new Set([symbol.name])
    for (const declaration of symbol.declarations ?? []) {
      const name = ts.getNameOfDeclaration(declaration)
      if (name && ts.isIdentifier(name)) names.add(name.text)
      if (ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Default) names.add('default')
    }
    // A set is walked to its end even while it grows: a name that was renamed twice is found as well.
    for (const name of names) for (const rename of this.#renames.get(name) ?? []) names.add(rename)
    return names
  }
}

function isDeclaredName(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isImportSpecifier(parent) || ts.isImportClause(parent) || ts.isNamespaceImport(parent)) return true
  if (ts.isBindingElement(parent)) return parent.name === node || parent.propertyName === node
  const declares =
    ts.isVariableDeclaration(parent) ||
    ts.isParameter(parent) ||
    ts.isFunctionLike(parent) ||
    ts.isClassLike(parent)
  return declares && parent.name === node
}
