import path from 'node:path'

/**
 * What no change through NEXUS may touch, whatever the target's own nexus.yaml says: what decides whether a change is
 * good (tests, policy, pipelines), what runs unasked (hooks, package scripts), and what holds secrets. The list stands
 * outside of the repositories that it protects. Globs on the folded path.
 */
const protectedGlobs = [
  '{.git,**/.git,**/.git/**,.git/**}',
  '{.github,.gitlab,.circleci,.ci,.husky}/**',
  '**/{.gitlab-ci.yml,jenkinsfile,codeowners,.gitmodules,.gitattributes,dockerfile}',
  '{**/.env,**/.env.*,**/.npmrc,**/.yarnrc*,**/*.pem,**/*.key,**/id_rsa*,**/id_ed25519*}',
  '**/{package.json,package-lock.json,npm-shrinkwrap.json,yarn.lock,pnpm-lock.yaml}',
  '**/{nexus.yaml,nexus.yml}',
  '**/{test,tests,__tests__}/**',
  '**/*.{test,spec}.*',
  '**/*.{cedar,cedarschema}',
  '**/services/{governor,execution-sandbox}/**',
  '**/services/platform/warrant/**',
] as const

/** Those of `paths` that are protected, as given. A path that leaves the repository, or that has two readings, counts as protected. */
export function protectedAmong(paths: readonly string[]): string[] {
  return paths.filter((given) => isAmbiguous(given) || isProtected(fold(given)))
}

/** Absolute, with `..` or `.` segments, empty segments, back-slashes, control characters, or letters that are not drawn. */
function isAmbiguous(given: string): boolean {
  if (given === '' || /[\p{Cc}\p{Cf}\\:]/u.test(given)) return true
  return given.split('/').some((segment) => ['', '.', '..'].includes(segment) || /[ .]$/.test(segment))
}

/** Some file systems hold two spellings for the same file: by case, and by how accents are composed. */
function fold(given: string): string {
  return given.normalize('NFC').toLowerCase()
}

function isProtected(folded: string): boolean {
  return protectedGlobs.some((glob) => path.posix.matchesGlob(folded, glob))
}
