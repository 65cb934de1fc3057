import { type ESLint, Linter } from 'eslint'
import * as regexp from 'eslint-plugin-regexp'
// @ts-expect-error it comes without types
import security from 'eslint-plugin-security'
import { parser } from 'typescript-eslint'
import { ownRules } from './code-rules.ts'
import type { FindingSeverity } from './finding.ts'
import type { Sighting } from './secrets.ts'

/** The rules that are on: what a finding is called, and how grave it is. */
const rules: Readonly<Record<string, readonly [rule: string, severity: FindingSeverity]>> = {
  'own/eval': ['code/eval', 'blocking'],
  'own/vm': ['code/foreign-code', 'blocking'],
  'own/child-process': ['code/child-process', 'blocking'],
  'own/child-process-call': ['code/child-process', 'blocking'],
  'own/native-code': ['code/native-code', 'blocking'],
  'own/dynamic-import': ['code/dynamic-import', 'blocking'],
  'own/environment-read': ['code/environment-read', 'note'],
  'own/environment-taken': ['code/environment-taken', 'blocking'],
  'own/tls-disabled': ['code/tls-disabled', 'blocking'],
  'own/prototype-pollution': ['code/prototype-pollution', 'blocking'],
  'own/path-traversal': ['code/path-traversal', 'blocking'],
  'security/detect-child-process': ['code/child-process', 'blocking'],
  'security/detect-eval-with-expression': ['code/eval', 'blocking'],
  'security/detect-non-literal-regexp': ['code/regexp-from-data', 'note'],
  'security/detect-possible-timing-attacks': ['code/timing', 'note'],
  'security/detect-new-buffer': ['code/new-buffer', 'note'],
  'security/detect-pseudoRandomBytes': ['code/weak-random', 'note'],
  'regexp/no-super-linear-backtracking': ['code/slow-regexp', 'blocking'],
  'regexp/no-dupe-disjunctions': ['code/slow-regexp', 'blocking'],
  'regexp/no-super-linear-move': ['code/slow-regexp-search', 'note'],
}

/** Never left out as known: what cannot be read cannot be judged. */
export const unreadable = 'code/unreadable'
/** A comment for ESLint, which has no effect here, but has one in the target's own checks. */
const silencing = 'code/lint-comment'
const codeFile = /\.(?<kind>[cm]?[jt]s|[jt]sx)$/

const linter = new Linter({ configType: 'flat' })
const config: Linter.Config = {
  files: ['**/*.{js,cjs,mjs,jsx,ts,cts,mts,tsx}'],
  plugins: {
    own: { rules: ownRules } as ESLint.Plugin,
    security: security as ESLint.Plugin,
    regexp: regexp as unknown as ESLint.Plugin,
  },
  languageOptions: { parser: parser as Linter.Parser },
  // The text that is judged does not get to switch its judge off.
  linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: 'off' },
  rules: {
    ...Object.fromEntries(Object.keys(rules).map((name) => [name, 'error'])),
    'regexp/no-dupe-disjunctions': [
      'error',
      { report: 'interesting', reportExponentialBacktracking: 'certain' },
    ],
  },
}

export function severityOf(rule: string): FindingSeverity {
  if (rule === silencing) return 'note'
  return Object.values(rules).find(([name]) => name === rule)?.[1] ?? 'blocking'
}

/** Dangerous patterns in a file of JavaScript or TypeScript; none in other files. Code that cannot be parsed is a finding itself. */
export function lintCode(path: string, text: string): Sighting[] {
  const kind = codeFile.exec(path)?.groups?.kind
  if (kind === undefined) return []
  const lines = text.split('\n')
  // Its own name could be one that ESLint ignores.
  const messages = linter.verify(text, [config], { filename: `scanned.${kind}` })
  return messages.filter(isDangerous).map((message) => ({
    rule: ruleOf(message),
    line: message.line || 1,
    message: firstSentence(message.message),
    text: spanOf(lines, message),
  }))
}

function ruleOf({ ruleId, fatal, message }: Linter.LintMessage): string {
  if (ruleId) return rules[ruleId]?.[0] ?? unreadable
  return !fatal && message.includes("because you have 'noInlineConfig'") ? silencing : unreadable
}

/** Alternatives that say the same twice are untidy; those that cost exponential time are dangerous. */
function isDangerous({ ruleId, message }: Linter.LintMessage): boolean {
  return ruleId !== 'regexp/no-dupe-disjunctions' || message.includes('exponential')
}

/** The whole of what a message is about, its white space evened out, so that it is known again where it moved. */
function spanOf(lines: readonly string[], { line, endLine }: Linter.LintMessage): string {
  const first = Math.max(line, 1) - 1
  return lines
    .slice(first, Math.max(endLine ?? 0, first + 1))
    .join(' ')
    .replace(/\s+/g, ' ')
    .trim()
}

function firstSentence(message: string): string {
  return message.split('\n')[0]!.slice(0, 300)
}
