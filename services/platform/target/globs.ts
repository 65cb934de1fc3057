const maxPatternLength = 512

/**
 * Whether a path from the repository's root matches one of the patterns. `*` and `?` stay within a folder, `**` crosses folders,
 * `{a,b}` is either; names that begin with a dot are names like others. `matchesAny('src/a/b.ts', ['src/**\/*.ts'])` is true.
 */
export function matchesAny(path: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => globRegExp(pattern).test(path))
}

/** Errors: RangeError for a pattern that is empty, too long, absolute or that climbs out by `..`. */
export function checkGlob(pattern: string): void {
  if (pattern === '' || pattern.length > maxPatternLength) {
    throw new RangeError(`a pattern has 1 to ${maxPatternLength} characters`)
  }
  if (pattern.startsWith('/') || pattern.split('/').includes('..')) {
    throw new RangeError('a pattern is relative to the repository and never climbs out of it')
  }
}

function globRegExp(pattern: string): RegExp {
  const source = pattern.replace(/\*\*\/|\*\*|\*|\?|\{[^{}]*\}|[\\^$.|+()[\]{}]/g, (token) => {
    if (token === '**/') return '(?:[^/]+/)*'
    if (token === '**') return '.*'
    if (token === '*') return '[^/]*'
    if (token === '?') return '[^/]'
    if (token.length > 1) return `(?:${token.slice(1, -1).split(',').map(literally).join('|')})`
    return literally(token)
  })
  return new RegExp(`^${source}$`, 'u')
}

function literally(text: string): string {
  return text.replace(/[\\^$.|+()[\]{}*?]/g, '\\$&')
}
