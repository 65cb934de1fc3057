import ts from 'typescript'
import { isTestOnly, matchesOf, nodesOf, type Project, type Violation } from './project.ts'

// In parts, so that this file does not contain what it looks for.
const unfinishedWords = ['TO-DO', 'FIX-ME', 'X-XX', 'HA-CK'].map((word) => word.replace('-', ''))
const unfinished = new RegExp(`\\b(${unfinishedWords.join('|')})\\b`, 'g')
const registryHosts = ['npmjs org', 'npmjs com', 'yarnpkg com', 'pypi org', 'pythonhosted org', 'crates io']
  .concat(['proxy golang org', 'maven org', 'maven apache org', 'debian org'])
  .map((words) => words.replaceAll(' ', '\\.'))
const registries = new RegExp(registryHosts.join('|'), 'g')

/** What is not finished is an issue, not a comment. */
export function nothingUnfinished({ texts }: Project): Violation[] {
  return found(
    texts,
    unfinished,
    (word) => `${word}: finish it, or open an issue and describe the limit in a sentence`,
  )
}

/** Where packages come from is the machine's setting, not ours. */
export function noRegistryHosts({ texts }: Project): Violation[] {
  return found(texts, registries, (host) => `${host}: leave the host to the settings of npm, apt, go or mvn`)
}

/** Lock files record versions and hashes; the addresses in them would bind a clone to one registry. */
export function lockFilesWithoutAddresses({ texts }: Project): Violation[] {
  const locks = new Map([...texts].filter(([path]) => path.endsWith('package-lock.json')))
  const remedy =
    'an address: keep omit-lockfile-registry-resolved=true in .npmrc, then npm install --package-lock-only'
  return found(locks, /"resolved": "(?!file:)/g, () => remedy)
}

/** A lock file that was made where a platform's package was missing makes `npm ci` refuse everywhere. */
export function lockFilesComplete({ texts }: Project): Violation[] {
  return [...texts]
    .filter(([path]) => path.endsWith('package-lock.json'))
    .flatMap(([path, text]) => {
      const { packages = {} } = JSON.parse(text) as { packages?: Record<string, LockedPackage> }
      const locked = new Set(Object.keys(packages).map((key) => key.split('node_modules/').at(-1)))
      return Object.values(packages)
        .flatMap(({ optionalDependencies = {} }) => Object.keys(optionalDependencies))
        .filter((name) => !locked.has(name))
        .map((name) => ({ path, line: lineWith(text, `"${name}"`), remedy: withoutEntry(name) }))
    })
}

interface LockedPackage {
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

function withoutEntry(name: string): string {
  return `${name} has no entry, so npm ci fails: take a version whose packages are all there, and make the file anew`
}

function lineWith(text: string, part: string): number {
  return text.slice(0, text.indexOf(part)).split('\n').length
}

function found(
  texts: ReadonlyMap<string, string>,
  pattern: RegExp,
  remedyOf: (found: string) => string,
): Violation[] {
  return [...texts]
    .filter(([path]) => !path.startsWith('services/gen/'))
    .flatMap(([path, text]) =>
      [...matchesOf(text, pattern)].map((match) => ({
        path,
        line: match.line,
        remedy: remedyOf(match.found),
      })),
    )
}

/** The CHANGELOG has a heading under which the next change is described. */
export function changelogPending({ texts }: Project): Violation[] {
  const path = 'CHANGELOG.md'
  const [first] = /^## .*/m.exec(texts.get(path) ?? '') ?? []
  if (first === '## Pending') return []
  return [{ path, line: 1, remedy: '"## Pending" is the first heading, above the releases: add it' }]
}

/** Every setting that a service reads is told in SETTINGS.md, and that tells no other. */
export function settingsTold({ sources, texts }: Project): Violation[] {
  const path = 'SETTINGS.md'
  const rows = [...matchesOf(texts.get(path) ?? '', /(?<=^\| `)NEXUS_[A-Z0-9_]+(?=` \|)/gm)]
  const told = new Set(rows.map(({ found }) => found))
  const read = new Map<string, { path: string; line: number }>()
  for (const { path, tree } of sources) {
    if (!path.startsWith('services/') || isTestOnly(path)) continue
    for (const node of nodesOf(tree)) {
      const name = settingRead(node)
      const { line } = tree.getLineAndCharacterOfPosition(node.getStart(tree))
      if (name) read.set(name, { path, line: line + 1 })
    }
  }
  const silent = [...read]
    .filter(([name]) => !told.has(name))
    .map(([name, place]) => ({
      ...place,
      remedy: `${name} is not in SETTINGS.md: tell what it is for`,
    }))
  const invented = rows
    .filter(({ found: name }) => !read.has(name) && !name.startsWith('NEXUS_DEMO_'))
    .map(({ line, found: name }) => ({ path, line, remedy: `no service reads ${name}: take it out` }))
  return [...silent, ...invented]
}

/** A setting is an entry of a settings table: `variable: 'NEXUS_X'`. */
function settingRead(node: ts.Node): string | undefined {
  if (!ts.isPropertyAssignment(node) || node.name.getText() !== 'variable') return undefined
  return ts.isStringLiteral(node.initializer) ? node.initializer.text : undefined
}
