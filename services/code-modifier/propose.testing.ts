import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, type TestContext } from 'node:test'
import type { Client } from '@connectrpc/connect'
import type { Change } from '../gen/nexus/code_modifier/v1/change_pb.ts'
import type { CodeModifierService } from '../gen/nexus/code_modifier/v1/code_modifier_service_pb.ts'
import { type Bench, branchesOf, makeBench } from './changes.testing.ts'
import type { ChangesParts } from './changes.ts'
import type { RecipeChange, RecipeInput, RecipeOutcome } from './recipes/outcome.ts'
import { type RunningSandbox, startSandbox } from './sandbox.testing.ts'

/** Proposals on a tiny target, its commands run by the real sandbox; only the recipe is the test's own. */

export const timeout = 120_000
let root = ''
let sandbox: RunningSandbox

/** One sandbox for the tests of a file. */
export function useSandbox(): void {
  before(
    async () => {
      root = await mkdtemp(path.join(tmpdir(), 'nexus-propose-'))
      sandbox = await startSandbox({ folder: path.join(root, 'sandbox'), mountRoot: tmpdir() })
    },
    { timeout },
  )
  after(async () => {
    await sandbox.close()
    await rm(root, { recursive: true, force: true })
  })
}

export function sandboxClient(): RunningSandbox['client'] {
  return sandbox.client
}

export const price = 'export function price(count: number): number {\n  return count * 2\n}\n'

/** The benchmark's times follow from the text of the source, so that a noisy machine does not decide the test. */
export const bench = `import { readFileSync, writeFileSync } from 'node:fs'
const text = readFileSync('src/price.ts', 'utf8')
const ms = text.includes('slow') ? 8 : 4
const samples = text.includes('unmeasured') ? { Other: [1, 1] } : { Price: Array.from({ length: 40 }, (_, at) => ms + at / 100) }
writeFileSync(process.env.NEXUS_BENCH_OUT, JSON.stringify({ samples }))
`

export function manifest(commands: Readonly<Record<string, readonly string[]>> = {}): string {
  const all = { test: ['node', 'test.ts'], start: ['node', 'src/price.ts'], ...commands }
  return JSON.stringify({
    name: 'shop',
    services: [{ name: 'shop' }],
    commands: all,
    protected: ['src/law/**'],
    interventions: { enable_caching: { max_entries: 10 } },
  })
}

export const shop = {
  'nexus.yaml': manifest(),
  'package.json': '{"name": "shop", "type": "module"}\n',
  'test.ts': `import assert from 'node:assert/strict'
import { price } from './src/price.ts'
assert.equal(price(2), 4)
console.log('# pass 3')
`,
  'bench.js': bench,
  'src/price.ts': price,
  'src/law/tax.ts': 'export const tax = 0.2\n',
}

export type Files = Readonly<Record<string, string>>
export type Recipe = (input: RecipeInput, run: number, signal: AbortSignal) => Promise<RecipeOutcome>

export interface World extends Bench {
  readonly client: Client<typeof CodeModifierService>
  /** How often the recipe ran. */
  readonly runs: () => number
  /** How many proposals have been asked for and have read the target's state. */
  readonly syncs: () => number
}

export async function startWorld(
  t: TestContext,
  { files = {}, recipe, parts }: { files?: Files; recipe: Recipe; parts?: Partial<ChangesParts> },
): Promise<World> {
  const bench = await makeBench(t, { files: { ...shop, ...files } })
  let runs = 0
  const runRecipe: ChangesParts['runRecipe'] = (_intervention, input, { signal }) =>
    recipe(input, ++runs, signal)
  let syncs = 0
  const sync = async (target: string) => {
    const synced = await bench.targets.sync(target)
    syncs += 1
    return synced
  }
  const targets = { ...bench.targets, sync }
  const changes = bench.changesOn(bench.journal, { sandbox: sandbox.client, runRecipe, targets, ...parts })
  return { ...bench, client: await bench.serve(changes), runs: () => runs, syncs: () => syncs }
}

/** A change of one file to this text. */
export async function changeTo(folder: string, file: string, content: string): Promise<RecipeChange> {
  const bytes = await readFile(path.join(folder, file)).catch(() => undefined)
  return {
    kind: 'change',
    files: [
      { path: file, baseSha256: bytes ? createHash('sha256').update(bytes).digest('hex') : null, content },
    ],
    summary: `changes ${file}`,
    authorDetail: 'enable_caching@1',
    place: { path: file, line: 1, name: 'price' },
    profileShare: 0.5,
  }
}

/** Changes a file once; a second run finds nothing to do. */
export const once =
  (content: string, file = 'src/price.ts'): Recipe =>
  async ({ folder }) => {
    const present = await readFile(path.join(folder, file), 'utf8').catch(() => '')
    return present === content
      ? { kind: 'refusal', reason: 'it is done already' }
      : changeTo(folder, file, content)
  }

export const better = price.replace('return', '// remembered\n  return')

export const wish = { objectiveId: 'o-1', turn: 1, target: 'shop', intervention: 'enable_caching' }

export async function propose(client: World['client'], signal?: AbortSignal) {
  const progress: string[] = []
  let change: Change | undefined
  for await (const { event } of client.proposeChange(wish, { signal, timeoutMs: timeout })) {
    if (event.case === 'progress') progress.push(`${event.value.step}: ${event.value.detail}`)
    if (event.case === 'change') change = event.value
  }
  assert.ok(change)
  return { change, progress }
}

export function worktrees({ dataFolder }: Bench): Promise<string[]> {
  return readdir(path.join(dataFolder, 'worktrees'))
}

export async function nothingLeft(bench: Bench): Promise<void> {
  assert.deepEqual(await worktrees(bench), [])
  assert.deepEqual(Object.keys(await branchesOf(bench.gitdir)), ['main'])
}

export const neverAsked: Recipe = () => assert.fail('the recipe is not asked')
export const measured = { 'nexus.yaml': manifest({ benchmark: ['node', 'bench.js'] }) }
export const manyLines = Array.from({ length: 201 }, (_, at) => `export const line${at} = ${at}\n`).join('')
