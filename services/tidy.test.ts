import path from 'node:path'
import { test } from 'node:test'
import { callsAsDeclared } from '../tools/tidy/calls.ts'
import { enginesTested } from '../tools/tidy/engines.ts'
import { declaredDependencies, everyFileUsed, importDirection, testsApart } from '../tools/tidy/imports.ts'
import { type Rule, readProject } from '../tools/tidy/project.ts'
import { fileLength, functionLength, namedExports, noAny, noConsole, testsRun } from '../tools/tidy/shape.ts'
import {
  changelogPending,
  lockFilesComplete,
  lockFilesWithoutAddresses,
  noRegistryHosts,
  nothingUnfinished,
  settingsTold,
} from '../tools/tidy/texts.ts'

// The rules of the house that a machine can check. Each names the file, the line and how to mend it.

const rules: Readonly<Record<string, Rule>> = {
  'imports go one way': importDirection,
  'the program imports nothing that is for tests': testsApart,
  'every file is used': everyFileUsed,
  'every package that is imported is declared, and none is idle': declaredDependencies,
  'the calls between services are the declared ones': callsAsDeclared,
  'a function fits a screen': functionLength,
  'a file can be read in one sitting': fileLength,
  'exports are named': namedExports,
  'nothing is any': noAny,
  'nothing writes to the console': noConsole,
  'every test runs, or says why not': testsRun,
  'every engine has its test beside it': enginesTested,
  'nothing is left unfinished': nothingUnfinished,
  'no registry is named': noRegistryHosts,
  'lock files are complete': lockFilesComplete,
  'lock files hold no addresses': lockFilesWithoutAddresses,
  'the CHANGELOG awaits the next change': changelogPending,
  'SETTINGS.md tells every setting': settingsTold,
}

/** Told without a stack, which would be that of this file. */
class Untidy extends Error {
  override readonly name = 'Untidy'
  override readonly stack = undefined
}

const project = readProject(path.dirname(import.meta.dirname))

for (const [name, rule] of Object.entries(rules)) {
  test(name, () => {
    const violations = rule(project).map((each) => `${each.path}:${each.line}: ${each.remedy}`)
    if (violations.length > 0) throw new Untidy(`not so:\n  ${violations.join('\n  ')}`)
  })
}
