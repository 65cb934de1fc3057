import path from 'node:path'
import ts from 'typescript'
import { importsOf } from './imports.ts'
import { isTest, isTestOnly, type Project, type Source, type Violation } from './project.ts'

/** The folders of pure engines: numbers or trees in, judgement out. */
export const engineFolders = [
  'services/code-modifier/recipes',
  'services/deployer/judge',
  'services/meta-controller/analysis',
  'services/platform/warrant',
]

/** Each file of an engine folder that computes something is imported by a test beside it. */
export function enginesTested({ sources }: Project): Violation[] {
  return engineFolders.flatMap((folder) => {
    const files = sources.filter((source) => path.posix.dirname(source.path) === folder)
    const tests = files.filter((source) => isTest(source.path))
    const tested = new Set(tests.flatMap((source) => importsOf(source).map(({ target }) => target)))
    return files
      .filter((source) => !isTestOnly(source.path) && computes(source) && !tested.has(source.path))
      .map((source) => ({
        path: source.path,
        line: 1,
        remedy: `no test in ${folder} imports this engine: write ${path.posix.basename(source.path, '.ts')}.test.ts beside it`,
      }))
  })
}

function computes({ tree }: Source): boolean {
  return tree.statements.some(
    (each) =>
      !ts.isImportDeclaration(each) && !ts.isInterfaceDeclaration(each) && !ts.isTypeAliasDeclaration(each),
  )
}
