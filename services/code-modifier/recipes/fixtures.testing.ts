import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { RecipeInput } from './outcome.ts'

/** One case of a recipe, read from a Markdown file: the target before, and what it is after or why nothing is done. */
export interface Fixture {
  readonly name: string
  readonly title: string
  /** Lines `key: value` between the title and the first file. */
  readonly facts: Readonly<Record<string, string>>
  readonly before: ReadonlyMap<string, string>
  /** The changed files, but not the memo, which is always the same; empty for a refusal. */
  readonly after: ReadonlyMap<string, string>
  readonly refusal: string | undefined
  readonly file: string
}

const fixturesFolder = path.join(import.meta.dirname, 'fixtures')
const memoizeText = readFileSync(path.join(import.meta.dirname, 'enable-caching/memoize.template.ts'), 'utf8')

/** Every case of a recipe, by name. */
export function readFixtures(recipe: string): Fixture[] {
  const folder = path.join(fixturesFolder, recipe)
  return readdirSync(folder)
    .filter((file) => file.endsWith('.md'))
    .sort()
    .map((file) => readFixture(path.join(folder, file)))
}

function readFixture(file: string): Fixture {
  const text = readFileSync(file, 'utf8')
  const [start = '', end = ''] = text.split(/^## (?:After|Refused)\n/m)
  const facts = [...start.matchAll(/^([a-z]+): (.*)$/gm)].map(
    ([, key = '', value = '']) => [key, value] as const,
  )
  const refusal = /^## Refused\n+> (.*)$/m.exec(text)?.[1]
  return {
    name: path.basename(file, '.md'),
    title: /^# (.*)$/m.exec(text)?.[1] ?? '',
    facts: Object.fromEntries(facts.filter(([key]) => start.indexOf(`\n${key}: `) < start.indexOf('```'))),
    before: filesIn(start),
    after: filesIn(end),
    refusal,
    file,
  }
}

function filesIn(text: string): Map<string, string> {
  return new Map(
    [...text.matchAll(/^```\w+ (\S+)( crlf)?( bom)?\n([\s\S]*?)^```$/gm)].map(
      ([, name = '', crlf, bom, code = '']) => {
        const whole = code.replace('{{memoize}}\n', memoizeText)
        return [name, (bom ? '\uFEFF' : '') + (crlf ? whole.replaceAll('\n', '\r\n') : whole)]
      },
    ),
  )
}

/** Writes files into a new folder and gives its real path. */
export function writeTarget(files: ReadonlyMap<string, string>): string {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'nexus-recipe-')))
  for (const [name, text] of [['package.json', '{"type": "module"}'] as const, ...files]) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
    writeFileSync(path.join(folder, name), text)
  }
  return folder
}

/** What the recipe is asked in this case. The profile says what the fact `hot` says, such as `score 60, parse 20`. */
export function inputOf({ facts, before }: Fixture, folder: string): RecipeInput {
  const profiles = facts.hot ? [writeProfile(folder, before, facts.hot)] : []
  return {
    folder,
    sources: ['src/**/*.ts'],
    parameters: JSON.parse(facts.parameters ?? '{}'),
    profiles,
    benchmark: JSON.parse(facts.benchmark ?? '[]'),
  }
}

/** A profile of 1000 samples, 1 ms each: the functions named have their share in percent, one after the other, the rest is V8's own. */
export function writeProfile(folder: string, files: ReadonlyMap<string, string>, hot: string): string {
  const shares = hot.split(', ').map((each) => each.split(' ') as [string, string])
  const frames = shares.map(([name, percent]) => ({
    callFrame: frameOf(folder, files, name),
    samples: Number(percent) * 10,
  }))
  const used = frames.reduce((sum, { samples }) => sum + samples, 0)
  const all = [...frames, { callFrame: nativeFrame('(program)'), samples: 1_000 - used }]
  const nodes = all.map(({ callFrame }, index) => ({ id: index + 2, callFrame }))
  const root = { id: 1, callFrame: nativeFrame('(root)'), children: nodes.map(({ id }) => id) }
  const samples = all.flatMap(({ samples }, index) => Array.from({ length: samples }, () => index + 2))
  const file = path.join(folder, 'bench.cpuprofile')
  writeFileSync(
    file,
    JSON.stringify({ nodes: [root, ...nodes], samples, timeDeltas: samples.map(() => 1_000) }),
  )
  return file
}

function nativeFrame(functionName: string) {
  return { functionName, url: '', lineNumber: -1, columnNumber: -1 }
}

/** Where V8 would say that a function begins: at its parameters. */
function frameOf(folder: string, files: ReadonlyMap<string, string>, functionName: string) {
  for (const [name, text] of files) {
    const declared = new RegExp(
      `function\\*? ${functionName}\\b(?:<[^>]*>)?|const ${functionName}\\b[^=]*= `,
    ).exec(text)
    if (!declared) continue
    const position = declared.index + declared[0].length
    const lines = text.slice(0, position).replace('\uFEFF', '').split('\n')
    const url = pathToFileURL(path.join(folder, name)).href
    return { functionName, url, lineNumber: lines.length - 1, columnNumber: lines.at(-1)?.length ?? 0 }
  }
  throw new Error(`no file of the fixture declares ${functionName}`)
}
