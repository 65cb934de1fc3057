import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import ts from 'typescript'
import { matchesAny } from '../../../platform/target/globs.ts'
import type { ChangedFile } from '../outcome.ts'
import { pathOf, placeOf } from '../program/program.ts'
import { changeFile, type Span } from '../program/spans.ts'
import { digits, importPlace, specifierOf, styleOf } from '../program/style.ts'
import { codeOf, type NamedFunction } from '../program/symbols.ts'
import { memoizeText } from './memo.ts'
import type { View } from './view.ts'

export interface CacheSize {
  readonly maxEntries: number
  readonly ttlMs: number
}

/**
 * Puts a memo between a function and its callers. The function keeps its name, its comment and its type and asks the memo; its body, not touched,
 * becomes that of a second function below it. Gives the changed files, or says why they would not fit.
 */
export function cacheFunction(
  view: View,
  fn: NamedFunction,
  size: CacheSize,
  sources: readonly string[],
): readonly ChangedFile[] | string {
  const file = fn.node.getSourceFile()
  const helper = memoizePath(view, file, sources)
  const taken = takenName(file, fn.name)
  const handedOn = ts.isFunctionDeclaration(fn.node) ? undefined : handedOnAt(view, fn)
  if (handedOn) return `it is handed on as a value (${handedOn}), where other arguments may come along`
  if (taken) return `the name ${taken} is taken in ${pathOf(view, file)}`
  const helperFile = path.join(view.folder, helper)
  const isThere = existsSync(helperFile)
  if (isThere && readFileSync(helperFile, 'utf8') !== memoizeText) {
    return `${helper} exists and is not the memo that would be written there`
  }
  const spans = [...importSpans(view, file, helperFile), ...memoSpans(file, fn, size)]
  const changed = changeFile(view.folder, pathOf(view, file), file.text, spans)
  return isThere ? [changed] : [changed, { path: helper, baseSha256: null, content: memoizeText }]
}

/** Where a function is named without being called. */
function handedOnAt(view: View, { symbol }: NamedFunction): string | undefined {
  const place = view.references.of(symbol).find((node) => {
    const { parent } = node
    const callee = ts.isPropertyAccessExpression(parent) && parent.name === node ? parent : node
    const isCalled = ts.isCallExpression(callee.parent) && callee.parent.expression === callee
    return !isCalled && !ts.isExportSpecifier(parent) && !ts.isExportAssignment(parent)
  })
  return place && placeOf(view, place)
}

/** The memo stands at the top of the source folder, or else beside the file that uses it. */
function memoizePath(view: View, file: ts.SourceFile, sources: readonly string[]): string {
  const [top, ...below] = pathOf(view, file).split('/')
  const atTop = below.length > 0 ? `${top}/memoize.ts` : 'memoize.ts'
  if (matchesAny(atTop, sources)) return atTop
  return path.posix.join(path.posix.dirname(pathOf(view, file)), 'memoize.ts')
}

function takenName(file: ts.SourceFile, name: string): string | undefined {
  const used = new Set([...codeOf(file)].filter(ts.isIdentifier).map(({ text }) => text))
  const wanted = [cachedName(name), uncachedName(name)]
  if (!importsMemoize(file)) wanted.push('memoize')
  return wanted.find((each) => used.has(each))
}

function importsMemoize(file: ts.SourceFile): boolean {
  return file.statements.some(
    (each) =>
      ts.isImportDeclaration(each) &&
      /\/memoize(\.[jt]s)?$/.test((each.moduleSpecifier as ts.StringLiteral).text),
  )
}

function cachedName(name: string): string {
  return `cached${capitalised(name)}`
}

function uncachedName(name: string): string {
  return `uncached${capitalised(name)}`
}

function capitalised(name: string): string {
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}`
}

function importSpans(view: View, file: ts.SourceFile, helperFile: string): Span[] {
  if (importsMemoize(file)) return []
  const { quote, end, newline } = styleOf(file)
  const specifier = specifierOf(file, helperFile, view.program.getCompilerOptions())
  const line = `import { memoize } from ${quote}${specifier}${quote}${end}`
  const { at, isFirst } = importPlace(file, specifier)
  return [{ start: at, end: at, text: isFirst ? line + newline + newline : newline + line }]
}

function memoSpans(file: ts.SourceFile, fn: NamedFunction, size: CacheSize): Span[] {
  const options = `{ maxEntries: ${digits(size.maxEntries)}, ttlMs: ${digits(size.ttlMs)} }`
  const { node } = fn
  if (ts.isFunctionDeclaration(node)) return declarationSpans(file, fn.name, node, options)
  return [
    { start: node.getStart(file), end: node.getStart(file), text: 'memoize(' },
    { start: node.end, end: node.end, text: `, ${options})` },
  ]
}

function declarationSpans(
  file: ts.SourceFile,
  name: string,
  node: ts.FunctionDeclaration,
  options: string,
): Span[] {
  const { indent, newline, end } = styleOf(file)
  const at = (node.body as ts.Block).getStart(file) + 1
  const signature = file.text.slice((node.name as ts.Identifier).end, at)
  const names = node.parameters.map((parameter) => parameter.name.getText(file)).join(', ')
  const lines = [
    '',
    `${indent}return ${cachedName(name)}(${names})${end}`,
    '}',
    '',
    '// What it gives depends on its arguments only, and nobody changes it, so it is kept.',
    `const ${cachedName(name)} = memoize(${uncachedName(name)}, ${options})${end}`,
    '',
    `function ${uncachedName(name)}${signature}`,
  ]
  return [{ start: at, end: at, text: lines.join(newline) }]
}
