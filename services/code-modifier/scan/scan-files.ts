import { findHiddenCharacters } from './characters.ts'
import { type Finding, maxFindings, maxScannedFiles, maxScannedLength, type ScannedFile } from './finding.ts'
import { lintCode, severityOf, unreadable } from './lint-code.ts'
import { findSecrets, type Sighting } from './secrets.ts'

/** Scans in this thread: only findings that the base does not have. Loads ESLint, so it belongs into the worker. */
export function scanFiles(files: readonly ScannedFile[]): Finding[] {
  if (files.length > maxScannedFiles) {
    return [
      unscanned(files[0]!.path, `the change has more than ${maxScannedFiles} files: it cannot be scanned`),
    ]
  }
  return files.flatMap(scanFile).slice(0, maxFindings)
}

function scanFile({ path, before, after }: ScannedFile): Finding[] {
  if (Math.max(after.length, before?.length ?? 0) > maxScannedLength) {
    return [unscanned(path, `the file is longer than ${maxScannedLength} characters: it cannot be scanned`)]
  }
  const known = countSightings(before === null ? [] : look(path, before))
  const seen = new Set<string>()
  return look(path, after)
    .filter((sighting) => sighting.rule === unreadable || !take(known, sighting))
    .filter(({ rule, line }) => !seen.has(`${rule} ${line}`) && seen.add(`${rule} ${line}`))
    .map(({ rule, line, message }) => ({ rule, severity: severityOf(rule), path, line, message }))
    .toSorted((a, b) => a.line - b.line)
}

function look(path: string, text: string): Sighting[] {
  return [...findSecrets(text), ...findHiddenCharacters(text), ...lintCode(path, text)]
}

/** A sighting that only moved is not new; one that is there once more than before is. */
function countSightings(sightings: readonly Sighting[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const one of sightings) counts.set(keyOf(one), (counts.get(keyOf(one)) ?? 0) + 1)
  return counts
}

function take(counts: Map<string, number>, sighting: Sighting): boolean {
  const left = counts.get(keyOf(sighting)) ?? 0
  if (left > 0) counts.set(keyOf(sighting), left - 1)
  return left > 0
}

function keyOf({ rule, text }: Sighting): string {
  return `${rule}\n${text}`
}

function unscanned(path: string, message: string): Finding {
  return { rule: 'scan/too-large', severity: 'blocking', path, line: 1, message }
}
