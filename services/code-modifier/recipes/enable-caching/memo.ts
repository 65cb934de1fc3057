import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { symbolOf } from '../program/symbols.ts'

/** The file that a target gets, as it is kept here to be read and tested. */
export const memoizeText = readFileSync(new URL('./memoize.template.ts', import.meta.url), 'utf8')

/** What a call of exactly that `memoize` keeps the results of; undefined for any other node. */
export function memoizedBy(checker: ts.TypeChecker, node: ts.Node | undefined): ts.Expression | undefined {
  if (!node || !ts.isCallExpression(node)) return undefined
  const declaration = symbolOf(checker, node.expression)?.valueDeclaration
  const text = declaration?.getSourceFile().text.replaceAll('\r\n', '\n')
  return text === memoizeText ? node.arguments[0] : undefined
}
