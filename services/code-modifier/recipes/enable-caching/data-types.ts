import ts from 'typescript'

const primitiveFlags =
  ts.TypeFlags.StringLike |
  ts.TypeFlags.NumberLike |
  ts.TypeFlags.BooleanLike |
  ts.TypeFlags.BigIntLike |
  ts.TypeFlags.Undefined |
  ts.TypeFlags.Null |
  ts.TypeFlags.Void |
  ts.TypeFlags.Never

const libraryReadonly = new Set(['ReadonlyArray', 'ReadonlyMap', 'ReadonlySet'])
const libraryData = new Set([...libraryReadonly, 'Array', 'Map', 'Set', 'RegExp', 'Date'])

/** Strings, numbers, booleans, bigints, null, undefined, and unions of them, brands included: values that nobody can change. */
export function isPrimitive(type: ts.Type): boolean {
  if (type.isUnion()) return type.types.every(isPrimitive)
  if (type.isIntersection()) return type.types.some(isPrimitive)
  return (type.flags & primitiveFlags) !== 0
}

/** Whether, by its type, nothing that can be reached from a value can be changed. Functions and what is not known are not. */
export function isDeepReadonly(
  checker: ts.TypeChecker,
  type: ts.Type,
  seen: Set<ts.Type> = new Set(),
): boolean {
  if (isPrimitive(type) || seen.has(type)) return true
  seen.add(type)
  const isReadonly = (each: ts.Type) => isDeepReadonly(checker, each, seen)
  if (type.isUnionOrIntersection()) return type.types.every(isReadonly)
  if (!(type.flags & ts.TypeFlags.Object)) return false
  if (checker.isTupleType(type)) {
    const { target } = type as ts.TupleTypeReference
    return target.readonly && checker.getTypeArguments(type as ts.TupleTypeReference).every(isReadonly)
  }
  if (libraryReadonly.has(type.symbol?.name) && isLibrary(type)) {
    return checker.getTypeArguments(type as ts.TypeReference).every(isReadonly)
  }
  if (isLibrary(type) || isCallable(type)) return false
  const indexes = checker.getIndexInfosOfType(type)
  if (!indexes.every((index) => index.isReadonly && isReadonly(index.type))) return false
  return checker
    .getPropertiesOfType(type)
    .every((property) => isReadonlyProperty(property) && isReadonly(checker.getTypeOfSymbol(property)))
}

/** Whether a value of this type is data through and through: no functions, no iterators, no instances, nothing unknown. */
export function isData(checker: ts.TypeChecker, type: ts.Type, seen: Set<ts.Type> = new Set()): boolean {
  if (isPrimitive(type) || seen.has(type)) return true
  seen.add(type)
  const isEachData = (each: ts.Type) => isData(checker, each, seen)
  if (type.isUnionOrIntersection()) return type.types.every(isEachData)
  if (!(type.flags & ts.TypeFlags.Object) || isCallable(type)) return false
  if (checker.isTupleType(type)) return checker.getTypeArguments(type as ts.TypeReference).every(isEachData)
  if (isLibrary(type)) {
    const name = type.symbol.name
    if (!libraryData.has(name) && !/^(Big)?(Uint|Int|Float)\d+(Clamped)?Array$/.test(name)) return false
    return /Array$|Map$|Set$/.test(name) && (type as ts.TypeReference).target
      ? checker
          .getTypeArguments(type as ts.TypeReference)
          .slice(0, 2)
          .filter((each) => each !== type)
          .every(isEachData)
      : true
  }
  if (type.isClass()) return false
  if (!checker.getIndexInfosOfType(type).every((index) => isEachData(index.type))) return false
  return checker.getPropertiesOfType(type).every((property) => isEachData(checker.getTypeOfSymbol(property)))
}

/** Whether what a container holds are primitives, so that a copy of the container shares nothing. */
export function holdsPrimitives(checker: ts.TypeChecker, type: ts.Type): boolean {
  if (isPrimitive(type)) return true
  if (type.isUnion()) return type.types.every((each) => holdsPrimitives(checker, each))
  if (isLibrary(type) && /^(Big)?(Uint|Int|Float)\d+(Clamped)?Array$/.test(type.symbol.name)) return true
  if (checker.isTupleType(type)) return checker.getTypeArguments(type as ts.TypeReference).every(isPrimitive)
  if (isLibrary(type)) {
    const types = (type as ts.TypeReference).target ? checker.getTypeArguments(type as ts.TypeReference) : []
    return types.length > 0 && types.every(isPrimitive)
  }
  const indexes = checker.getIndexInfosOfType(type)
  return (
    (type.flags & ts.TypeFlags.Object) !== 0 &&
    !isCallable(type) &&
    indexes.every((index) => isPrimitive(index.type)) &&
    checker.getPropertiesOfType(type).every((property) => isPrimitive(checker.getTypeOfSymbol(property)))
  )
}

function isCallable(type: ts.Type): boolean {
  return type.getCallSignatures().length > 0 || type.getConstructSignatures().length > 0
}

/** An interface of the language's own library; `Record<string, number>` is declared there too, but is the target's type. */
function isLibrary(type: ts.Type): boolean {
  const { flags = 0, declarations = [] } = type.symbol ?? {}
  if (!(flags & (ts.SymbolFlags.Interface | ts.SymbolFlags.Class))) return false
  return declarations.some((each) => /\/lib\.[^/]*\.d\.ts$/.test(each.getSourceFile().fileName))
}

/** A mapped type such as Readonly<T> marks its properties in the checker's own flags, which its types do not show. */
function isReadonlyProperty(property: ts.Symbol): boolean {
  const readonlyFlag = 8
  const { links } = property as ts.Symbol & { readonly links?: { readonly checkFlags?: number } }
  if ((links?.checkFlags ?? 0) & readonlyFlag) return true
  const declarations = property.declarations ?? []
  return (
    declarations.length > 0 &&
    declarations.every(
      (each) =>
        (ts.getCombinedModifierFlags(each) & ts.ModifierFlags.Readonly) !== 0 || isConstAssertion(each),
    )
  )
}

/** In `{…} as const` the properties are read only without saying so. */
function isConstAssertion(declaration: ts.Declaration): boolean {
  for (let node: ts.Node = declaration.parent; node; node = node.parent) {
    if (ts.isAsExpression(node)) return node.type.getText() === 'const'
    if (
      !ts.isObjectLiteralExpression(node) &&
      !ts.isArrayLiteralExpression(node) &&
      !ts.isPropertyAssignment(node)
    )
      return false
  }
  return false
}
