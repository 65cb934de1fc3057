import ts from 'typescript'
import { placeOf, type TargetProgram } from '../program/program.ts'
import { bare, codeOf, isConstant, symbolOf } from '../program/symbols.ts'

/** An awaited call that an AbortSignal can end. */
export interface AbortableCall {
  readonly node: ts.CallExpression
  /** As it is written: `fetch`, `client.getStock`. */
  readonly callee: string
  readonly isFetch: boolean
  /** The position of the argument that takes the options. */
  readonly optionsAt: number
}

/** Awaited calls of the sources: those that a signal can end, and those that nothing can. */
export interface AwaitedCalls {
  readonly abortable: readonly AbortableCall[]
  /** Each with its place and why: "lookup (src/look.ts:5) takes none". */
  readonly others: readonly string[]
}

/** What waits for this machine only: a time-out there would guard against nothing, or change what the code means. */
const localModules =
  /^(node:)?(fs|fs\/promises|timers|timers\/promises|events|stream|stream\/promises|readline|readline\/promises|child_process|test)$/

/** Finds what the sources wait for. Calls over the network by `fetch` come before others: those are looked at only where there is no `fetch`. */
export function awaitedCalls(target: TargetProgram): AwaitedCalls {
  const awaited = target.sources.flatMap((file) => [...codeOf(file)].filter(ts.isAwaitExpression))
  const calls = awaited.flatMap((node) => promisedBy(node.expression))
  const abortable = calls.flatMap((node) => abortableCall(target, node) ?? [])
  const fetches = abortable.filter(({ isFetch }) => isFetch)
  const others = calls
    .filter((node) => !abortable.some((each) => each.node === node) && waitsOutside(target, node))
    .map((node) => `${node.expression.getText()} (${placeOf(target, node)}) takes none`)
  others.push(...notAwaited(target, calls))
  return { abortable: fetches.length > 0 ? fetches : abortable, others }
}

/** Calls of `fetch` whose promise goes elsewhere: whoever awaits it may do so much later. */
function notAwaited(target: TargetProgram, awaited: readonly ts.CallExpression[]): string[] {
  const calls = target.sources.flatMap((file) => [...codeOf(file)].filter(ts.isCallExpression))
  return calls
    .filter(
      (node) =>
        !awaited.includes(node) &&
        node.expression.getText() === 'fetch' &&
        abortableCall(target, node)?.isFetch,
    )
    .map(
      (node) => `${node.expression.getText()} (${placeOf(target, node)}) is not awaited where it is called`,
    )
}

/** `fetch(url).then(read)` waits for `fetch(url)`. */
function promisedBy(node: ts.Expression): ts.CallExpression[] {
  const expression = bare(node)
  if (!ts.isCallExpression(expression)) return []
  const callee = bare(expression.expression)
  if (ts.isPropertyAccessExpression(callee) && ['then', 'catch', 'finally'].includes(callee.name.text)) {
    return promisedBy(callee.expression)
  }
  return [expression]
}

function abortableCall({ checker }: TargetProgram, node: ts.CallExpression): AbortableCall | undefined {
  const callee = node.expression.getText()
  const signature = checker.getResolvedSignature(node)
  if (!signature?.declaration) return undefined
  const isFetch = isGlobalFetch(checker, node, signature)
  if (!isFetch && isLocalModule(signature.declaration)) return undefined
  const optionsAt = signature.parameters.findIndex((parameter) =>
    takesSignal(checker, checker.getTypeOfSymbolAtLocation(parameter, node)),
  )
  return optionsAt < 0 ? undefined : { node, callee, isFetch, optionsAt }
}

/** The platform's `fetch`, also where it is handed in as an argument of the same type. */
function isGlobalFetch(checker: ts.TypeChecker, node: ts.CallExpression, signature: ts.Signature): boolean {
  const { declaration } = signature
  if (!declaration?.getSourceFile().isDeclarationFile) return false
  const name = symbolOf(checker, node.expression)?.name
  return name === 'fetch' || (ts.isFunctionDeclaration(declaration) && declaration.name?.text === 'fetch')
}

function isLocalModule(declaration: ts.Node): boolean {
  for (let node = declaration; node; node = node.parent) {
    if (ts.isModuleDeclaration(node) && ts.isStringLiteral(node.name))
      return localModules.test(node.name.text)
  }
  return false
}

/** Whether a type has a property `signal?: AbortSignal`. */
function takesSignal(checker: ts.TypeChecker, type: ts.Type): boolean {
  const options = checker.getNonNullableType(type)
  if (options.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) return false
  if (options.isUnion()) return options.types.some((each) => takesSignal(checker, each))
  const signal = checker.getPropertyOfType(options, 'signal')
  if (!signal || !(signal.flags & ts.SymbolFlags.Optional)) return false
  const signalType = checker.getNonNullableType(checker.getTypeOfSymbol(signal))
  const types = signalType.isUnion() ? signalType.types : [signalType]
  return types.some((each) => (each.aliasSymbol ?? each.symbol)?.name === 'AbortSignal')
}

/** A call of something that is not the target's own may wait for others; what the target's own functions wait for is seen in them. */
function waitsOutside({ checker, own }: TargetProgram, node: ts.CallExpression): boolean {
  const declaration = checker.getResolvedSignature(node)?.declaration
  return (
    declaration !== undefined && !own.includes(declaration.getSourceFile()) && !isLocalModule(declaration)
  )
}

/** Whether a call ends by a time-out already, as far as it can be seen. */
export function hasTimeout(target: TargetProgram, signal: ts.Expression): boolean {
  const expression = bare(signal)
  const text = expression.getText()
  if (ts.isCallExpression(expression) && text.startsWith('AbortSignal.timeout(')) return true
  if (ts.isCallExpression(expression) && text.startsWith('AbortSignal.any(')) {
    const [list] = expression.arguments
    return (
      list !== undefined &&
      ts.isArrayLiteralExpression(list) &&
      list.elements.some((each) => hasTimeout(target, each))
    )
  }
  if (ts.isConditionalExpression(expression)) {
    return hasTimeout(target, expression.whenTrue) && hasTimeout(target, expression.whenFalse)
  }
  const owner = ts.isPropertyAccessExpression(expression) ? expression.expression : expression
  const symbol = symbolOf(target.checker, owner)
  const declaration = symbol?.valueDeclaration
  if (!symbol || !declaration || !ts.isVariableDeclaration(declaration)) return false
  if (owner !== expression) return isAbortedByTimer(target, declaration, symbol)
  return (
    isConstant(declaration) &&
    declaration.initializer !== undefined &&
    hasTimeout(target, declaration.initializer)
  )
}

/** `setTimeout(() => controller.abort(), 1_000)` in the file of the controller. */
function isAbortedByTimer(
  { checker }: TargetProgram,
  controller: ts.Declaration,
  symbol: ts.Symbol,
): boolean {
  return [...codeOf(controller.getSourceFile())].some((node) => {
    if (!ts.isCallExpression(node) || node.expression.getText() !== 'setTimeout') return false
    return node.arguments.some((argument) =>
      [...codeOf(argument)].some((each) => ts.isIdentifier(each) && symbolOf(checker, each) === symbol),
    )
  })
}
