import { readdirSync } from 'node:fs'
import { MissingDataError } from './data.ts'

/** What the command line gives a benchmark besides its name; each reads what it knows and refuses nothing. */
export interface BenchOptions {
  /** `--scores DIR`: where each series' row scores are written. */
  readonly scores?: string
  /** `--csv FILE`: the file to be measured in place of the data set. */
  readonly csv?: string
}

/** What every `bench/<name>.ts` exports as `run`: measures, prints its table, gives its figures by name. */
export type Bench = (print: (line: string) => void, options: BenchOptions) => Promise<Record<string, number>>

const usage = () =>
  `usage: npm run bench -- <name> [--json] [--scores DIR] [--csv FILE], where <name> is one of: ${names().join(', ')}\n`

/** The benchmarks are the files of this folder that a name on the command line can mean; what they need besides is in folders of their names. */
function names(): string[] {
  const shared = new Set(['main.ts', 'data.ts'])
  return readdirSync(import.meta.dirname)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !shared.has(file))
    .map((file) => file.slice(0, -'.ts'.length))
    .sort()
}

interface CommandLine extends BenchOptions {
  readonly name: string
  readonly json: boolean
}

/** Gives undefined for what is no command. */
function readCommandLine(words: readonly string[]): CommandLine | undefined {
  const positional: string[] = []
  const options: { json: boolean; scores?: string; csv?: string } = { json: false }
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? ''
    if (word === '--json') options.json = true
    else if (word === '--scores' || word === '--csv') {
      const value = words[++index]
      if (value === undefined || value.startsWith('--')) return undefined
      options[word === '--csv' ? 'csv' : 'scores'] = value
    } else if (word.startsWith('--')) return undefined
    else positional.push(word)
  }
  const name = positional[0]
  if (name === undefined || positional.length > 1 || !names().includes(name)) return undefined
  return { ...options, name }
}

async function main(words: readonly string[]): Promise<void> {
  const print = (line: string) => void process.stdout.write(`${line}\n`)
  const command = readCommandLine(words)
  if (command === undefined) {
    process.stderr.write(usage())
    process.exitCode = 2
    return
  }
  const { name, json } = command
  const { run } = (await import(`./${name}.ts`)) as { run: Bench }
  try {
    const figures = await run(print, command)
    if (json) print(JSON.stringify({ bench: name, figures }))
    else for (const [figure, value] of Object.entries(figures)) print(`${figure} ${value}`)
  } catch (error) {
    if (!(error instanceof MissingDataError)) throw error
    print(json ? JSON.stringify({ bench: name, skipped: error.message }) : `skipped: ${error.message}`)
  }
}

await main(process.argv.slice(2))
