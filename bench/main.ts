import { readdirSync } from 'node:fs'

/** What every `bench/<name>.ts` exports as `run`: measures, prints its table, gives its figures by name. */
export type Bench = (print: (line: string) => void) => Promise<Record<string, number>>

/** The benchmarks are the files of this folder; what they need besides is in folders of their names. */
function names(): string[] {
  return readdirSync(import.meta.dirname)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && file !== 'main.ts')
    .map((file) => file.slice(0, -'.ts'.length))
    .sort()
}

async function main(words: readonly string[]): Promise<void> {
  const print = (line: string) => void process.stdout.write(`${line}\n`)
  const name = words.find((word) => !word.startsWith('--'))
  if (name === undefined || !names().includes(name)) {
    process.stderr.write(
      `usage: npm run bench -- <name> [--json], where <name> is one of: ${names().join(', ')}\n`,
    )
    process.exitCode = 2
    return
  }
  const { run } = (await import(`./${name}.ts`)) as { run: Bench }
  const figures = await run(print)
  if (words.includes('--json')) print(JSON.stringify({ bench: name, figures }))
  else for (const [figure, value] of Object.entries(figures)) print(`${figure} ${value}`)
}

await main(process.argv.slice(2))
