import path from 'node:path'
import ts from 'typescript'
import { isTestOnly, lineOf, nodesOf, type Project, type Source, type Violation } from './project.ts'

/** One import of a file: what it names, and the file that is meant when it is one of ours. */
export interface Import {
  readonly specifier: string
  readonly target: string | undefined
  readonly line: number
  /** `type`: erased before the program runs. `process`: run by its name, in a process of its own. */
  readonly kind: 'value' | 'type' | 'process'
}

/** All imports and re-exports of a file, those by `import()` and `new URL('./x.ts', import.meta.url)` too. */
export function importsOf(source: Source): Import[] {
  const found: Import[] = []
  for (const node of nodesOf(source.tree)) {
    const url = urlOf(node)
    const specifier = url ?? specifierOf(node)
    if (specifier === undefined) continue
    const target = specifier.startsWith('.')
      ? path.posix.join(path.posix.dirname(source.path), specifier)
      : undefined
    const kind = url !== undefined ? 'process' : isTypeOnly(node) ? 'type' : 'value'
    found.push({ specifier, target, line: lineOf(source, node), kind })
  }
  return found
}

function specifierOf(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return textOf(node.moduleSpecifier)
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return textOf(node.argument.literal)
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    return textOf(node.arguments[0])
  }
  return undefined
}

function isTypeOnly(node: ts.Node): boolean {
  if (ts.isImportDeclaration(node)) return node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
  return ts.isImportTypeNode(node) || (ts.isExportDeclaration(node) && node.isTypeOnly)
}

/** A file that is named to be run as a process, as seen from the file that names it. */
function urlOf(node: ts.Node): string | undefined {
  if (!ts.isNewExpression(node) || node.expression.getText() !== 'URL') return undefined
  const [name, base] = [textOf(node.arguments?.[0]), node.arguments?.[1]?.getText()]
  if (base !== 'import.meta.url' || !name?.endsWith('.ts')) return undefined
  return name.startsWith('.') ? name : `./${name}`
}

function textOf(node: ts.Node | undefined): string | undefined {
  return node && ts.isStringLiteralLike(node) ? node.text : undefined
}

/** The room that a file is in: `gen`, `platform`, a service, or one of the rooms above the services. */
export function roomOf(file: string): string {
  const [first = '', second = '', third] = file.split('/')
  if (first === 'examples') return `examples/${second}`
  if (first !== 'services') return first
  return third === undefined || second === 'walkthrough' ? 'the top of services' : second
}

const above = new Set(['the top of services', 'bench', 'tools'])
const downward: Readonly<Record<string, readonly string[]>> = {
  gen: [],
  platform: ['gen'],
  'the top of services': ['gen', 'platform'],
  bench: ['gen', 'platform', 'the top of services'],
  tools: ['gen', 'platform'],
}

/** Imports go one way: gen, platform, each service, the top of services; examples stand alone. */
export function importDirection({ sources }: Project): Violation[] {
  return sources.flatMap((source) =>
    importsOf(source).flatMap(({ target, line, kind }) => {
      const started = kind === 'process' && isTestOnly(source.path)
      const remedy = target === undefined || started ? undefined : wrongWay(source.path, target)
      return remedy === undefined ? [] : [{ path: source.path, line, remedy }]
    }),
  )
}

function wrongWay(from: string, to: string): string | undefined {
  const [fromRoom, toRoom] = [roomOf(from), roomOf(to)]
  if (fromRoom === toRoom) return undefined
  if (isService(toRoom)) return intoService(from, to)
  if (from === 'services/tidy.test.ts' && toRoom === 'tools') return undefined
  const allowed = downward[fromRoom] ?? (isService(fromRoom) ? ['gen', 'platform'] : [])
  if (allowed.includes(toRoom)) return undefined
  return `${fromRoom} imports ${toRoom}: imports go gen, platform, service, services/*.ts; hand the thing in as an argument`
}

function intoService(from: string, to: string): string | undefined {
  const [fromRoom, toRoom] = [roomOf(from), roomOf(to)]
  if (isService(fromRoom))
    return `${fromRoom} imports ${toRoom}: a service calls another by its client, createClient(…)`
  if (to === `services/${toRoom}/main.ts`) {
    return from === 'services/serve.ts'
      ? undefined
      : `only services/serve.ts starts services; call ${toRoom} by its client`
  }
  if (fromRoom === 'bench') return undefined
  return `${fromRoom} imports the inside of ${toRoom}: use its client, or move what both need into services/platform`
}

function isService(room: string): boolean {
  return !above.has(room) && !['gen', 'platform', 'proto'].includes(room) && !room.startsWith('examples/')
}

/** The program imports nothing that serves tests; benchmarks may. */
export function testsApart({ sources }: Project): Violation[] {
  return sources
    .filter((source) => !isTestOnly(source.path) && !/(^|\/)bench\//.test(source.path))
    .flatMap((source) =>
      importsOf(source)
        .filter(({ target }) => target !== undefined && isTestOnly(target))
        .map(({ target, line }) => ({
          path: source.path,
          line,
          remedy: `${target} is for tests by its name: rename it if the program needs it, or do without`,
        })),
    )
}

/** Every file is used by the program: imported, named to be run as a process, or an entry point. */
export function everyFileUsed({ sources }: Project): Violation[] {
  const users = sources.filter(({ path: file }) => !isTestOnly(file) || file === 'services/tidy.test.ts')
  const used = new Set(users.flatMap((source) => importsOf(source).map(({ target }) => target)))
  const processes = new Set(users.flatMap((source) => [...filesNamedIn(source)]))
  const isEntry = (file: string) => /^(bench\/[\w-]+|tools\/[\w-]+|services\/main)\.ts$/.test(file)
  return users
    .filter(({ path: file }) => /^(services|tools|bench)\//.test(file) && !isTestOnly(file) && !isEntry(file))
    .filter(({ path: file }) => !used.has(file) && !processes.has(path.posix.basename(file)))
    .map(({ path: file }) => ({
      path: file,
      line: 1,
      remedy: 'the program does not use this file: delete it, or name it *.testing.ts if tests do',
    }))
}

function* filesNamedIn(source: Source): Generator<string> {
  for (const node of nodesOf(source.tree)) {
    const inImport =
      ts.isImportDeclaration(node.parent ?? node) || ts.isExportDeclaration(node.parent ?? node)
    if (ts.isStringLiteral(node) && node.text.endsWith('.ts') && !inImport)
      yield path.posix.basename(node.text)
  }
}

/** A package that the program imports is a dependency, one that only tests and tools import at least a devDependency; none is idle. */
export function declaredDependencies({ sources, texts }: Project): Violation[] {
  const manifest = JSON.parse(texts.get('package.json') ?? '{}') as Record<string, Record<string, string>>
  const { dependencies = {}, devDependencies = {} } = manifest
  const ours = sources.filter((source) => !source.path.startsWith('examples/'))
  const used = new Set<string>()
  const undeclared: Violation[] = []
  for (const source of ours) {
    const forDevelopment = isTestOnly(source.path) || /^(bench|tools)\//.test(source.path)
    for (const { specifier, line, kind } of importsOf(source)) {
      const typeOnly = kind === 'type'
      const name = packageOf(specifier)
      if (name === undefined) continue
      used.add(name)
      const declared = { ...dependencies, ...(forDevelopment || typeOnly ? devDependencies : {}) }
      if (name in declared || (typeOnly && `@types/${name}` in declared)) continue
      const missing = typeOnly ? `--save-dev @types/${name}` : name
      undeclared.push({
        path: source.path,
        line,
        remedy: `package.json does not list it: npm install ${missing}`,
      })
    }
  }
  const everything = ours.map((source) => source.tree.text).join('\n')
  const isNamed = (name: string) => [`'${name}'`, `'${name}/`].some((text) => everything.includes(text))
  const idle = Object.keys(dependencies).filter((name) => !used.has(name) && !isNamed(name))
  const remedyOf = (name: string) => `nothing imports the dependency ${name}: npm uninstall ${name}`
  return [...undeclared, ...idle.map((name) => ({ path: 'package.json', line: 1, remedy: remedyOf(name) }))]
}

function packageOf(specifier: string): string | undefined {
  if (/^(\.|\/|node:|file:|data:)/.test(specifier)) return undefined
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}
