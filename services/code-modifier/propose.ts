import { createHash } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Client } from '@connectrpc/connect'
import type { ExecutionSandboxService } from '../gen/nexus/execution_sandbox/v1/execution_sandbox_service_pb.ts'
import { Author } from '../gen/nexus/governor/v1/warrant_pb.ts'
import type { Clock } from '../platform/clock.ts'
import { type Checkout, prepareCheckout } from '../platform/target/checkout.ts'
import type { SyncedMirror } from '../platform/target/mirror.ts'
import { digestOfProposal, type Proposal, type ProposalKey } from './change.ts'
import { type Change, checkChange, checkPaths } from './check/check-change.ts'
import { judged } from './check/judged.ts'
import { measureBase, measureBoth } from './check/measure.ts'
import { lintChange, testBase, testChange } from './check/run-tests.ts'
import { Gates, Refused } from './gates.ts'
import { diffOf } from './git/diff.ts'
import { writeChangedTree } from './git/tree.ts'
import type { RecipeChange, RecipeInput } from './recipes/outcome.ts'
import type { runRecipe } from './recipes/run.ts'

const recipeTimeoutMs = 60_000
const maxRefusalLength = 3000
const maxRetries = 5
const sandboxTierOrder = ['host', 'unshare', 'bubblewrap', 'docker']

/** What proposing works with. */
export interface ProposeParts {
  readonly sandbox: Client<typeof ExecutionSandboxService>
  readonly clock: Clock
  readonly dataFolder: string
  readonly benchmarkRuns: number
  /** The process's environment; only what a package manager needs reaches the target's install command. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly runRecipe: typeof runRecipe
}

export interface ProposeRequest {
  readonly key: ProposalKey
  readonly id: string
  readonly synced: SyncedMirror
  /** Over those of nexus.yaml. */
  readonly parameters: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  readonly report: (step: string, detail: string) => void
  readonly onCheck: (check: Proposal['checks'][number]) => void
}

/**
 * Makes a change and puts it through every gate: recipe, paths and size, types, lint, scanners, tests and benchmark before and
 * after, idempotence. A gate that says no ends it as a refusal, which is a proposal too. The worktrees are gone afterwards; of the
 * change there is its tree in the mirror, and nothing on a branch. Errors: ConnectError of the sandbox, TargetError.
 */
export async function proposeChange(request: ProposeRequest, parts: ProposeParts): Promise<Proposal> {
  const folder = path.join(parts.dataFolder, 'worktrees')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const places = {
    base: path.join(folder, `${request.id}-base`),
    change: path.join(folder, `${request.id}-change`),
    profiles: path.join(folder, `${request.id}-profiles`),
  }
  const gates = new Gates({ clock: parts.clock, report: request.report, onCheck: request.onCheck })
  try {
    return await throughGates(request, parts, gates, places)
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return sealed({
      ...emptyProposal(request),
      checks: gates.checks,
      sandboxTier: weakestTier(gates),
      refusal: error.message.slice(0, maxRefusalLength),
    })
  } finally {
    // A program that was canceled may still write for a moment.
    const options = { recursive: true, force: true, maxRetries }
    await Promise.all(Object.values(places).map((place) => rm(place, options)))
  }
}

async function throughGates(
  request: ProposeRequest,
  parts: ProposeParts,
  gates: Gates,
  places: { readonly base: string; readonly change: string; readonly profiles: string },
): Promise<Proposal> {
  const { synced, signal } = request
  const { manifest } = synced
  const run = { sandbox: parts.sandbox, dataFolder: parts.dataFolder, manifest, gates, signal }
  const parameters = permitted(request)
  const base = await checkOut(request, parts, places.base)
  await testBase(run, base)
  const measured = await measureBase(run, base, places.profiles)
  const input: RecipeInput = {
    folder: base.folder,
    sources: manifest.sources,
    parameters,
    ...measured,
  }
  const made = await askRecipe(request, input, { gates, runRecipe: parts.runRecipe })
  await checkPaths(
    run,
    made.files.map((file) => file.path),
  )
  const change = await changeOf(request, made)
  const findings = await checkChange(run, { base, change, made })
  const changed = await checkOut(request, parts, places.change)
  await writeChange(changed.folder, made)
  await lintChange(run, changed)
  await testChange(run, changed)
  const benchmark = await measureBoth(run, { base, changed, runs: parts.benchmarkRuns, seedText: request.id })
  // In the folder of the base, because the profiles name its files.
  await writeChange(base.folder, made)
  await confirmIdempotence(request, input, { made, gates, runRecipe: parts.runRecipe })
  const files = made.files.map((file) => ({ path: file.path, content: Buffer.from(file.content) }))
  const { text: diff, linesAdded, linesRemoved } = diffOf(change.files)
  return sealed({
    ...emptyProposal(request),
    tree: await writeChangedTree(synced.repository.gitFolder, request.key.base, files),
    diff,
    paths: change.files.map((file) => file.path),
    linesAdded,
    linesRemoved,
    authorDetail: made.authorDetail,
    summary: made.summary,
    findings,
    checks: gates.checks,
    benchmark,
    profileShare: made.profileShare,
    sandboxTier: weakestTier(gates),
  })
}

/** The parameters of nexus.yaml with those of the request over them. */
function permitted({ key, synced, parameters }: ProposeRequest): Record<string, string | number> {
  const own = synced.manifest.interventions[key.intervention]
  if (own === undefined) {
    const known = Object.keys(synced.manifest.interventions).join(', ') || 'none'
    throw new Refused(`nexus.yaml does not permit ${key.intervention} (interventions: ${known})`)
  }
  const plain = Object.entries(own).map(([name, value]) => [
    name,
    typeof value === 'boolean' ? String(value) : value,
  ])
  return { ...Object.fromEntries(plain), ...parameters }
}

function checkOut(request: ProposeRequest, parts: ProposeParts, folder: string): Promise<Checkout> {
  const { synced, key, signal } = request
  return prepareCheckout({
    repository: synced.repository,
    commit: key.base,
    folder,
    manifest: synced.manifest,
    dependenciesStore: path.join(parts.dataFolder, 'dependencies'),
    signal,
    environment: parts.environment,
  })
}

interface Asking {
  readonly gates: Gates
  readonly runRecipe: typeof runRecipe
}

async function askRecipe(
  request: ProposeRequest,
  input: RecipeInput,
  { gates, runRecipe }: Asking,
): Promise<RecipeChange> {
  return gates.pass('recipe', async () => {
    const outcome = await judged(() => runRecipe(request.key.intervention, input, threadOf(request)))
    if (outcome.kind !== 'change') throw new Refused(outcome.reason)
    return { result: outcome, detail: outcome.summary }
  })
}

function threadOf({ signal }: ProposeRequest) {
  return { signal, timeoutMs: recipeTimeoutMs }
}

/** Reads from the commit what the change replaces, and makes sure that it is what the recipe saw in the worktree. */
async function changeOf({ key, synced }: ProposeRequest, made: RecipeChange): Promise<Change> {
  const listed = await synced.repository.listFiles(key.base)
  const links = new Set(listed.filter(({ mode }) => mode === 'symlink').map(({ path }) => path))
  const files = await Promise.all(
    made.files.map(async ({ path: file, baseSha256, content }) => {
      const link = withFolders(file).find((place) => links.has(place))
      if (link !== undefined) throw new Refused(`${file} may not be changed: ${link} is a symbolic link`)
      const bytes = await synced.repository.readFile(key.base, file)
      const sha256 = bytes === undefined ? null : createHash('sha256').update(bytes).digest('hex')
      if (sha256 !== baseSha256) throw new Refused(`the recipe saw another ${file} than the base has`)
      const before = bytes === undefined ? null : Buffer.from(bytes).toString('utf8')
      return { path: file, before, after: content }
    }),
  )
  if (files.every(({ before, after }) => before === after)) throw new Refused('the recipe changed nothing')
  return { files }
}

/** The folders that a path is in, and itself. `withFolders('a/b')` is `['a', 'a/b']`. */
function withFolders(file: string): string[] {
  const parts = file.split('/')
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
}

async function writeChange(folder: string, made: RecipeChange): Promise<void> {
  for (const file of made.files) {
    const place = path.join(folder, file.path)
    await mkdir(path.dirname(place), { recursive: true })
    await writeFile(place, file.content)
  }
}

/** A recipe that finds the same thing to do in its own result did not do it. */
async function confirmIdempotence(
  request: ProposeRequest,
  input: RecipeInput,
  { made, gates, runRecipe }: Asking & { readonly made: RecipeChange },
): Promise<void> {
  await gates.pass('idempotence', async () => {
    const again = await judged(() => runRecipe(request.key.intervention, input, threadOf(request)))
    const samePlace =
      again.kind === 'change' && again.place.path === made.place.path && again.place.name === made.place.name
    if (samePlace) throw new Refused(`a second run would change ${made.place.name} again`)
    return { result: undefined, detail: 'a second run changes nothing more there' }
  })
}

function emptyProposal(request: ProposeRequest): Omit<Proposal, 'digest'> {
  return {
    ...request.key,
    id: request.id,
    targetBranch: request.synced.branch,
    tree: '',
    diff: '',
    paths: [],
    linesAdded: 0,
    linesRemoved: 0,
    author: Author.RECIPE,
    authorDetail: '',
    summary: '',
    findings: [],
    checks: [],
    benchmark: [],
    profileShare: 0,
    sandboxTier: '',
    refusal: '',
  }
}

function sealed(proposal: Omit<Proposal, 'digest'>): Proposal {
  return { ...proposal, digest: digestOfProposal(proposal) }
}

/** The weakest tier that any gate ran in is what the change's checks are worth. */
function weakestTier(gates: Gates): string {
  const used = gates.checks.map((check) => check.tier).filter((tier) => tier !== '')
  return used.toSorted((a, b) => sandboxTierOrder.indexOf(a) - sandboxTierOrder.indexOf(b))[0] ?? ''
}
