import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import ts from 'typescript'

const maxFileBytes = 1024 * 1024
const leftOut = new Set(['node_modules', '.git', '.nexus'])
const textFile =
  /\.(ts|mjs|json|proto|md|yaml|yml|sh|cedar|cedarschema)$|(^|\/)(Dockerfile|NOTICE|run|\.npmrc)$/

/** One TypeScript file with its syntax tree; `path` is relative to the root, with `/`. */
export interface Source {
  readonly path: string
  readonly tree: ts.SourceFile
}

/** What the rules look at: every text file of the repository, and the TypeScript among them that a person wrote. */
export interface Project {
  readonly texts: ReadonlyMap<string, string>
  readonly sources: readonly Source[]
}

/** Where a rule is broken. `remedy` says how to mend it. */
export interface Violation {
  readonly path: string
  readonly line: number
  readonly remedy: string
}

export type Rule = (project: Project) => readonly Violation[]

/** Reads the whole repository; what git ignores is left out by name. */
export function readProject(root: string): Project {
  const texts = new Map<string, string>()
  const visit = (folder: string) => {
    for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (leftOut.has(entry.name)) continue
      if (entry.isDirectory()) visit(name)
      else if (entry.isFile() && textFile.test(name))
        texts.set(name, readFileSync(path.join(root, name), 'utf8'))
    }
  }
  visit('')
  return projectOf(texts)
}

/** The project that some texts make. Errors: a text larger than a person would write. */
export function projectOf(texts: ReadonlyMap<string, string>): Project {
  const sources: Source[] = []
  for (const [name, text] of texts) {
    if (!name.endsWith('.ts') || name.startsWith('services/gen/')) continue
    if (text.length > maxFileBytes) throw new Error(`${name} is larger than ${maxFileBytes} bytes`)
    sources.push({ path: name, tree: ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true) })
  }
  return { texts, sources }
}

/** Whether a file serves tests only: a test, or by its name what tests share. */
export function isTestOnly(name: string): boolean {
  return (
    isTest(name) ||
    /(^|\/)(testing|fixture)(\.[\w-]+)?\.ts$|\.(testing|fixture|contract)\.ts$|\/test\//.test(name)
  )
}

export function isTest(name: string): boolean {
  return name.endsWith('.test.ts')
}

/** The line of a node as an editor counts it. */
export function lineOf(source: Source, node: ts.Node): number {
  return source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line + 1
}

/** Every node of a file, parents first. */
export function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node
  const children: ts.Node[] = []
  ts.forEachChild(node, (child) => void children.push(child))
  for (const child of children) yield* nodesOf(child)
}

/** The lines of a text that match, counted from 1, with what matched. */
export function* matchesOf(text: string, pattern: RegExp): Generator<{ line: number; found: string }> {
  for (const [index, line] of text.split('\n').entries()) {
    for (const match of line.matchAll(pattern)) yield { line: index + 1, found: match[0] }
  }
}
