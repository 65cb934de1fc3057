import path from 'node:path'
import ts from 'typescript'
import { pathOf, type TargetProgram } from '../program/program.ts'
import { type NamedFunction, namedFunctions } from '../program/symbols.ts'
import type { CpuProfile, Frame } from './cpu-profile.ts'

/** A function with its inclusive share of the busy time, from 0 to 1: while it, or anything that it called, ran. */
export interface HotFunction extends NamedFunction {
  readonly share: number
}

/**
 * The top-level functions of the sources that the profile saw, the hottest first. What an anonymous function inside one took counts for
 * the one that encloses it.
 */
export function hotFunctions(target: TargetProgram, profile: CpuProfile): HotFunction[] {
  const folders = foldersOf(target, profile)
  const fileAt = new Map(
    target.sources.flatMap((file) =>
      folders.map((folder) => [
        path.join(folder, pathOf(target, file)),
        functionsOf(target, file, profile, folders),
      ]),
    ),
  )
  const usByFunction = new Map<NamedFunction, number>()
  for (const { frames, us } of profile.stacks) {
    const seen = new Set(frames.map((frame) => fileAt.get(frame.path)?.(frame)))
    for (const each of seen) if (each) usByFunction.set(each, (usByFunction.get(each) ?? 0) + us)
  }
  return [...usByFunction]
    .map(([each, us]) => ({ ...each, share: us / Math.max(1, profile.busyUs) }))
    .toSorted((a, b) => b.share - a.share || (a.name < b.name ? -1 : 1))
}

/** Under which paths the profile knows the checkout: its real one, or, where it was measured elsewhere, those that hold a file of the sources. */
function foldersOf(target: TargetProgram, profile: CpuProfile): string[] {
  const paths = new Set(profile.stacks.flatMap(({ frames }) => frames.map((frame) => frame.path)))
  const sources = target.sources.map((file) => `${path.sep}${pathOf(target, file).split('/').join(path.sep)}`)
  const folders = new Set<string>()
  for (const each of paths) {
    if (each.split(path.sep).includes('node_modules')) continue
    for (const source of sources) if (each.endsWith(source)) folders.add(each.slice(0, -source.length))
  }
  return folders.has(target.folder) ? [target.folder] : [...folders]
}

/**
 * Finds the function of a frame by its place. Where the profile names functions that do not stand where it says, it is of another version of
 * the file: then only the names count.
 */
function functionsOf(
  target: TargetProgram,
  file: ts.SourceFile,
  profile: CpuProfile,
  folders: readonly string[],
): (frame: Frame) => NamedFunction | undefined {
  const functions = namedFunctions(target, file)
  const byName = new Map(functions.map((each) => [each.name, each]))
  const paths = folders.map((folder) => path.join(folder, pathOf(target, file)))
  const frames = profile.stacks.flatMap((stack) => stack.frames).filter((frame) => paths.includes(frame.path))
  const isCurrent = frames.every((frame) => {
    const named = byName.get(frame.functionName)
    return named === undefined || enclosing(functions, file, frame) === named
  })
  return (frame) => (isCurrent ? enclosing(functions, file, frame) : byName.get(frame.functionName))
}

function enclosing(
  functions: readonly NamedFunction[],
  file: ts.SourceFile,
  { line, column }: Frame,
): NamedFunction | undefined {
  if (line < 0 || line >= file.getLineStarts().length) return undefined
  const position = ts.getPositionOfLineAndCharacter(file, line, 0) + column
  return functions.find(({ node }) => position >= node.getStart(file) && position < node.end)
}
