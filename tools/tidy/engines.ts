import path from 'node:path'
import ts from 'typescript'
import { importsOf } from './imports.ts'
import { isTest, isTestOnly, type Project, type Source, type Violation } from './project.ts'

/** Folders, with those below them, in which each file is an engine: numbers in, judgement out. A test among them imports it. */
const engineFolders = [
  'services/deployer/judge',
  'services/meta-controller/analysis',
  'services/platform/statistics',
  'services/platform/warrant',
]

/** Folders, with those below them, whose files make up engines together. Tests there reach each of them. */
const engineTrees = ['services/code-modifier/recipes', 'services/code-modifier/scan']

/** Each file that computes something in a folder of engines is tested there. */
export function enginesTested({ sources }: Project): Violation[] {
  const beside = engineFolders.flatMap((folder) => {
    const files = sources.filter((source) => source.path.startsWith(`${folder}/`))
    return untested(files, importedBy(files.filter((source) => isTest(source.path))))
  })
  const below = engineTrees.flatMap((folder) => {
    const files = sources.filter((source) => source.path.startsWith(`${folder}/`))
    return untested(files, reachedByTests(files))
  })
  return [...beside, ...below]
}

function untested(files: readonly Source[], tested: ReadonlySet<string>): Violation[] {
  return files
    .filter((source) => !isTestOnly(source.path) && computes(source) && !tested.has(source.path))
    .map((source) => ({
      path: source.path,
      line: 1,
      remedy: `no test here uses this engine: write ${path.posix.basename(source.path, '.ts')}.test.ts beside it`,
    }))
}

function importedBy(users: readonly Source[]): Set<string> {
  return new Set(users.flatMap((source) => importsOf(source).flatMap(({ target }) => target ?? [])))
}

function reachedByTests(files: readonly Source[]): Set<string> {
  const reached = new Set<string>()
  let users = files.filter((source) => isTest(source.path))
  while (users.length > 0) {
    const next = importedBy(users)
    users = files.filter((source) => next.has(source.path) && !reached.has(source.path))
    for (const source of users) reached.add(source.path)
  }
  return reached
}

function computes({ tree }: Source): boolean {
  return tree.statements.some(
    (each) =>
      !ts.isImportDeclaration(each) && !ts.isInterfaceDeclaration(each) && !ts.isTypeAliasDeclaration(each),
  )
}
