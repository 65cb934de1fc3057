import ts from 'typescript'
import { isTestOnly, lineOf, nodesOf, type Project, type Source, type Violation } from './project.ts'

const maxFunctionLines = 70
const maxFileLines = 400
const maxTestFileLines = 600

/** A function fits a screen. One that only lists tests (the body of `describe`) is as long as its tests. */
export function functionLength({ sources }: Project): Violation[] {
  return each(sources, function* (source, node) {
    if (!isFunction(node) || node.body === undefined) return
    const { line: first } = source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree))
    const { line: last } = source.tree.getLineAndCharacterOfPosition(node.end)
    const lines = last - first + 1
    if (lines <= maxFunctionLines || (isTestOnly(source.path) && listsTests(node.body))) return
    yield `a function of ${lines} lines, ${maxFunctionLines} is the most: keep the branches here, move straight parts out`
  })
}

function isFunction(node: ts.Node): node is ts.FunctionLikeDeclaration {
  return ts.isFunctionLike(node) && 'body' in node
}

function listsTests(body: ts.Node): boolean {
  for (const node of nodesOf(body)) {
    if (ts.isCallExpression(node) && /^(test|describe|it)$/.test(node.expression.getText())) return true
  }
  return false
}

/** A file can be read in one sitting. */
export function fileLength({ sources }: Project): Violation[] {
  return sources.flatMap((source) => {
    const lines = source.tree.text.trimEnd().split('\n').length
    const most = isTestOnly(source.path) ? maxTestFileLines : maxFileLines
    if (lines <= most) return []
    const remedy = `${lines} lines, ${most} is the most: which two things are in this file?`
    return [{ path: source.path, line: most + 1, remedy }]
  })
}

/** What is imported has the name that it was given; only a tool's own configuration file may be a default export. */
export function namedExports({ sources }: Project): Violation[] {
  return each(
    sources.filter((source) => !source.path.endsWith('.config.ts')),
    function* (_, node) {
      const isDefault = ts.isExportAssignment(node) || node.kind === ts.SyntaxKind.DefaultKeyword
      const ofSwitch = ts.isDefaultClause(node.parent ?? node)
      if (isDefault && !ofSwitch) yield 'a default export: export it by its name'
    },
  )
}

/** No `any`: `unknown` and a check, or the type itself. */
export function noAny({ sources }: Project): Violation[] {
  return each(sources, function* (_, node) {
    if (node.kind === ts.SyntaxKind.AnyKeyword)
      yield '`any` switches the checks off: say `unknown` and look, or the type'
  })
}

/** No `console`: the program reports by its log, tools write to the streams of the process. */
export function noConsole({ sources }: Project): Violation[] {
  return each(sources, function* (_, node) {
    if (ts.isPropertyAccessExpression(node) && node.expression.getText() === 'console') {
      yield '`console` has no level and no trace id: write an event in events.ts, or to process.stdout in a tool'
    }
  })
}

/** Every test runs; one that cannot says why at run time. */
export function testsRun({ sources }: Project): Violation[] {
  return each(
    sources.filter((source) => isTestOnly(source.path)),
    function* (source, node) {
      if (ts.isCallExpression(node)) yield* markedCall(node)
      if (!ts.isPropertyAssignment(node)) return
      const [name, value] = [node.name.getText(source.tree), node.initializer.kind]
      if (!['only', 'skip', 'todo'].includes(name)) return
      if (value === ts.SyntaxKind.TrueKeyword)
        yield `\`${name}: true\` without a reason: give the reason as a text`
    },
  )
}

function* markedCall(node: ts.CallExpression): Generator<string> {
  if (!ts.isPropertyAccessExpression(node.expression)) return
  const [object, method] = [node.expression.expression.getText(), node.expression.name.text]
  const isRunner = ['test', 'describe', 'it', 'suite'].includes(object)
  if (isRunner && ['only', 'skip', 'todo'].includes(method)) {
    yield `${object}.${method} leaves tests out for good: remove the mark, or skip at run time with a reason`
  }
  if (['t', 'context'].includes(object) && method === 'skip' && node.arguments.length === 0) {
    yield 'a skip without a reason: say what is missing and how to provide it'
  }
}

function each(
  sources: readonly Source[],
  look: (source: Source, node: ts.Node) => Iterable<string>,
): Violation[] {
  const found: Violation[] = []
  for (const source of sources) {
    for (const node of nodesOf(source.tree)) {
      for (const remedy of look(source, node))
        found.push({ path: source.path, line: lineOf(source, node), remedy })
    }
  }
  return found
}
