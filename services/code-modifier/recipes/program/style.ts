import path from 'node:path'
import ts from 'typescript'

/** How a file is written, so that what is added to it looks like the rest. */
export interface FileStyle {
  readonly newline: string
  readonly indent: string
  readonly quote: string
  /** `;` or nothing. */
  readonly end: string
}

export function styleOf(file: ts.SourceFile): FileStyle {
  const { text } = file
  const specifier = file.statements.find(ts.isImportDeclaration)?.moduleSpecifier.getText(file)
  const count = (pattern: RegExp) => text.match(pattern)?.length ?? 0
  return {
    newline: text.includes('\r\n') ? '\r\n' : '\n',
    indent: /^([ \t]+)\S/m.exec(text.replace(/^\s*\*.*$/gm, ''))?.[1] ?? '  ',
    quote: specifier?.[0] ?? (count(/"/g) > count(/'/g) ? '"' : "'"),
    end: count(/;[ \t]*\r?$/gm) > 0 && endsStatements(file) ? ';' : '',
  }
}

function endsStatements(file: ts.SourceFile): boolean {
  const ending = file.statements.filter(
    (each) => ts.isImportDeclaration(each) || ts.isVariableStatement(each),
  )
  if (ending.length === 0) return /;[ \t]*\r?$/m.test(file.text)
  return ending.some((each) => each.getText(file).endsWith(';'))
}

/** How this file would import another: with the ending that its own imports have. */
export function specifierOf(file: ts.SourceFile, to: string, options: ts.CompilerOptions): string {
  const relative = path.relative(path.dirname(file.fileName), to).split(path.sep).join('/')
  const withDot = relative.startsWith('.') ? relative : `./${relative}`
  const usual = file.statements.flatMap((each) => {
    if (!ts.isImportDeclaration(each) || !ts.isStringLiteral(each.moduleSpecifier)) return []
    const { text } = each.moduleSpecifier
    return text.startsWith('.') ? [path.extname(text)] : []
  })
  const ending = usual[0] ?? (options.allowImportingTsExtensions ? '.ts' : needsEnding(options) ? '.js' : '')
  return withDot.slice(0, -path.extname(withDot).length) + (['.ts', '.js'].includes(ending) ? ending : '')
}

function needsEnding({ module }: ts.CompilerOptions): boolean {
  return module !== undefined && module >= ts.ModuleKind.Node16 && module <= ts.ModuleKind.NodeNext
}

/** Where an import of `specifier` belongs: after the imports that sort before it, or before the first statement. */
export function importPlace(file: ts.SourceFile, specifier: string): { at: number; isFirst: boolean } {
  const imports = file.statements.filter(ts.isImportDeclaration)
  const before = imports.findLast(({ moduleSpecifier }) => {
    const text = (moduleSpecifier as ts.StringLiteral).text
    return !text.startsWith('.') || text < specifier
  })
  const last = imports.at(-1)
  if (before ?? last) return { at: (before ?? (last as ts.ImportDeclaration)).end, isFirst: false }
  return { at: file.statements[0]?.getStart(file, true) ?? 0, isFirst: true }
}

/** A number as source text: 600000 is written 600_000. */
export function digits(value: number): string {
  return value < 10_000 ? String(value) : String(value).replace(/\B(?=(\d{3})+$)/g, '_')
}
