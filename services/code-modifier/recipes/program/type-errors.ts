import ts from 'typescript'
import { openProgram, pathOf, type TargetProgram } from './program.ts'

const maxErrors = 50

/** The type errors that the files bring, those that the target has without them left out. An error is the same wherever in its file it stands. */
export function typeErrorsOf(input: {
  readonly folder: string
  readonly files: readonly { readonly path: string; readonly content: string }[]
  readonly sources: readonly string[]
}): readonly string[] {
  const { folder, sources } = input
  const overlay = new Map(input.files.map((file) => [file.path, file.content]))
  const changed = errorsOf(openProgram({ folder, sources, overlay }))
  if (changed.length === 0) return []
  const known = errorsOf(openProgram({ folder, sources })).map(({ same }) => same)
  const added = changed.filter(({ same }) => {
    const at = known.indexOf(same)
    if (at >= 0) known.splice(at, 1)
    return at < 0
  })
  return added.slice(0, maxErrors).map(({ text }) => text)
}

function errorsOf(target: TargetProgram): { same: string; text: string }[] {
  const { program, own } = target
  const found = [
    ...program.getConfigFileParsingDiagnostics(),
    ...program.getOptionsDiagnostics(),
    ...program.getGlobalDiagnostics(),
    ...own.flatMap((file) => [
      ...program.getSyntacticDiagnostics(file),
      ...program.getSemanticDiagnostics(file),
    ]),
  ]
  return found
    .filter(({ category }) => category === ts.DiagnosticCategory.Error)
    .map(({ file, start = 0, code, messageText }) => {
      const message = `TS${code} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
      if (!file) return { same: message, text: message }
      const path = pathOf(target, file)
      const line = file.getLineAndCharacterOfPosition(start).line + 1
      return { same: `${path} ${message}`, text: `${path}:${line}: ${message}` }
    })
}
