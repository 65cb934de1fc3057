import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import ts from 'typescript'
import { matchesAny } from '../../../platform/target/globs.ts'

/** A checkout as the compiler sees it. Paths in it are real and absolute; `pathOf` gives those relative to the folder. */
export interface TargetProgram {
  /** The real path of the checkout. */
  readonly folder: string
  readonly program: ts.Program
  readonly checker: ts.TypeChecker
  /** Every file of the target itself that the program holds, its tests too. */
  readonly own: readonly ts.SourceFile[]
  /** Those of them that a recipe may change. */
  readonly sources: readonly ts.SourceFile[]
}

export interface TargetFolder {
  readonly folder: string
  readonly sources: readonly string[]
  /** Files that stand in place of those on disk, or beside them, by path relative to the folder. */
  readonly overlay?: ReadonlyMap<string, string>
}

/** Thrown for a target that cannot be analysed; the message says what to mend. */
export class TargetProgramError extends Error {
  override readonly name = 'TargetProgramError'
}

const maxFiles = 4_000
const extensions = ['.ts', '.mts', '.cts', '.tsx']

/** What a Node service that runs by type stripping means, where no tsconfig.json says otherwise. */
const usualOptions: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2024,
  lib: ['lib.es2024.d.ts'],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  strict: true,
  allowImportingTsExtensions: true,
  types: ['node'],
}

/** Nothing is written, and no declaration file is judged: those are others' work. */
const fixedOptions: ts.CompilerOptions = {
  noEmit: true,
  composite: false,
  incremental: false,
  declaration: false,
  declarationMap: false,
  emitDeclarationOnly: false,
  skipLibCheck: true,
  tsBuildInfoFile: undefined,
  outFile: undefined,
  plugins: undefined,
}

/** Opens the program of a checkout: the files of its tsconfig.json and all of its sources. Errors: TargetProgramError. */
export function openProgram(target: TargetFolder): TargetProgram {
  const folder = realpathSync(target.folder)
  const { options, fileNames } = readConfig(folder)
  const overlay = new Map([...(target.overlay ?? [])].map(([file, text]) => [path.join(folder, file), text]))
  const names = new Set([...fileNames, ...sourceFiles(folder, target.sources), ...overlay.keys()])
  const roots = [...names].filter((name) => extensions.includes(path.extname(name)))
  if (roots.length === 0)
    throw new TargetProgramError(`no TypeScript file matches ${target.sources.join(', ')}`)
  if (roots.length > maxFiles) {
    throw new TargetProgramError(
      `the target has ${roots.length} TypeScript files, more than ${maxFiles}: narrow sources`,
    )
  }
  const program = ts.createProgram({ rootNames: roots, options, host: createHost(options, overlay) })
  const own = program.getSourceFiles().filter((file) => isOwn(folder, file))
  const sources = own.filter((file) => matchesAny(relative(folder, file.fileName), target.sources))
  return { folder, program, checker: program.getTypeChecker(), own, sources }
}

/** A file's path relative to the checkout. */
export function pathOf({ folder }: TargetProgram, file: ts.SourceFile): string {
  return relative(folder, file.fileName)
}

/** Where a node stands, for people: `src/stock.ts:17`. */
export function placeOf(target: TargetProgram, node: ts.Node): string {
  return `${pathOf(target, node.getSourceFile())}:${lineOf(node)}`
}

/** A node's line, from 1. */
export function lineOf(node: ts.Node): number {
  const file = node.getSourceFile()
  return file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1
}

/** Whether a node is code of the target itself. */
export function isOwn(folder: string, file: ts.SourceFile): boolean {
  if (file.isDeclarationFile || !file.fileName.startsWith(`${folder}${path.posix.sep}`)) return false
  return !relative(folder, file.fileName).split('/').includes('node_modules')
}

function relative(folder: string, fileName: string): string {
  return path.relative(folder, fileName).split(path.sep).join('/')
}

function readConfig(folder: string): { options: ts.CompilerOptions; fileNames: readonly string[] } {
  const file = path.join(folder, 'tsconfig.json')
  if (!existsSync(file))
    return { options: withNodeTypes(folder, { ...usualOptions, ...fixedOptions }), fileNames: [] }
  const { config, error } = ts.readConfigFile(file, ts.sys.readFile)
  if (error)
    throw new TargetProgramError(`tsconfig.json: ${ts.flattenDiagnosticMessageText(error.messageText, ' ')}`)
  const parsed = ts.parseJsonConfigFileContent(config, ts.sys, folder, fixedOptions, file)
  return { options: withNodeTypes(folder, parsed.options), fileNames: parsed.fileNames }
}

/** The types of Node come with the target; where it has none, NEXUS's own serve. */
function withNodeTypes(folder: string, given: ts.CompilerOptions): ts.CompilerOptions {
  const targetTypes = path.join(folder, 'node_modules', '@types')
  // Before TypeScript 6 all packages of types counted where none was named; a target may still mean that.
  const found = existsSync(targetTypes) ? readdirSync(targetTypes).filter((name) => /^[a-z]/.test(name)) : []
  const options = { ...given, types: given.types ?? found }
  if (found.includes('node')) return options
  const ownTypes = path.dirname(
    path.dirname(createRequire(import.meta.url).resolve('@types/node/package.json')),
  )
  const typeRoots = [...(options.typeRoots ?? [targetTypes]), ownTypes]
  return { ...options, typeRoots, types: [...new Set([...options.types, 'node'])] }
}

function sourceFiles(folder: string, sources: readonly string[]): string[] {
  return ts.sys
    .readDirectory(folder, extensions, ['**/node_modules/**', '**/.git/**'])
    .filter((name) => matchesAny(relative(folder, name), sources))
}

/** Declarations of libraries are parsed once per thread, since the type gate opens the same program twice. */
const parsedLibraries = new Map<string, ts.SourceFile>()

function createHost(options: ts.CompilerOptions, overlay: ReadonlyMap<string, string>): ts.CompilerHost {
  const host = ts.createCompilerHost(options, true)
  const parse = host.getSourceFile.bind(host)
  const { fileExists, readFile } = host
  host.fileExists = (name) => overlay.has(name) || fileExists(name)
  host.readFile = (name) => overlay.get(name) ?? readFile(name)
  host.getSourceFile = (name, languageOptions, onError) => {
    const text = overlay.get(name)
    if (text !== undefined) return ts.createSourceFile(name, text, languageOptions, true)
    if (!name.endsWith('.d.ts')) return parse(name, languageOptions, onError)
    const key = `${name} ${JSON.stringify(languageOptions)}`
    const file = parsedLibraries.get(key) ?? parse(name, languageOptions, onError)
    if (file) parsedLibraries.set(key, file)
    return file
  }
  return host
}
