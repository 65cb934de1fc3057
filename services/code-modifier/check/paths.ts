import { matchesAny } from '../../platform/target/globs.ts'

/** What no change may touch in any target, whatever its nexus.yaml says: what decides how changes are made, checked and shipped. */
const alwaysProtected = [
  '**/.git/**',
  '**/.git*',
  '.github/**',
  '.gitlab-ci.yml',
  '.ci/**',
  '**/.env*',
  '**/.npmrc',
  'nexus.yaml',
  '**/package.json',
  '**/package-lock.json',
  '**/npm-shrinkwrap.json',
  '**/yarn.lock',
  '**/pnpm-lock.yaml',
  '**/tsconfig*.json',
  '**/dockerfile*',
  '**/node_modules/**',
]

/**
 * Why a change must not touch a path, or undefined when it may: it has to be one of the target's sources and nothing protected.
 * Paths are compared as a file system that folds case and composes characters would take them.
 */
export function whyProtected(
  path: string,
  rules: { readonly sources: readonly string[]; readonly protectedGlobs: readonly string[] },
): string | undefined {
  const parts = path.split('/')
  if (path.startsWith('/') || parts.some((part) => part === '' || part === '.' || part === '..'))
    return 'it is not a plain path inside the repository'
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  if (/[\u0000-\u001f\u007f\\]/.test(path)) return 'it holds control characters or backslashes'
  const folded = fold(path)
  if (matchesAny(folded, alwaysProtected)) return 'NEXUS changes no such file in any target'
  if (matchesAny(folded, rules.protectedGlobs.map(fold)) || matchesAny(path, rules.protectedGlobs))
    return 'nexus.yaml protects it'
  if (!matchesAny(path, rules.sources)) return 'it is none of the sources that nexus.yaml names'
  return undefined
}

function fold(path: string): string {
  return path.normalize('NFC').toLowerCase()
}
