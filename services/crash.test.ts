import assert from 'node:assert/strict'
import fs from 'node:fs'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'node:test'
import git from 'isomorphic-git'
import { type Objective, ObjectiveState } from './gen/nexus/meta_controller/v1/objective_pb.ts'
import { eventually, seededRandom } from './platform/eventually.testing.ts'
import { verifyExport } from './platform/journal/export.ts'
import {
  createSystem,
  type Nexus,
  processesOf,
  type System,
  untilServed,
  untilTargetReady,
} from './system.testing.ts'

const seed = Number(process.env.NEXUS_CRASH_SEED ?? 20261122)
const kills = Number(process.env.NEXUS_CRASH_KILLS ?? 4)
/** A kill comes at a random moment of the loop; an undisturbed loop takes about this long. */
const longestLifeMs = 20_000
const killsPerObjective = 6
const endWithinMs = 180_000
const retiredWithinMs = 60_000
/** An observation of 5 s has then seen the traffic that it needs. */
const enoughCalls = 400

test(`killed ${kills} times at random moments (seed ${seed}), every objective ends right`, {
  timeout: kills * 60_000 + 300_000,
}, async (t) => {
  if (process.platform !== 'linux') return t.skip('it looks for orphans in /proc, which is on Linux only')
  const random = seededRandom(seed)
  let killed = 0
  while (killed < kills) {
    const system = await createSystem()
    const traffic = system.startTraffic()
    const running: { nexus?: Nexus } = {}
    try {
      const wanted = Math.min(killsPerObjective, kills - killed)
      const outcome = await playObjective(system, random, { wanted, running })
      killed += outcome.killed
      t.diagnostic(
        `objective ended ${nameOf(outcome.objective.state)} after ${outcome.killed} kills: ${outcome.objective.reason}`,
      )
      await checkAll(system, outcome.nexus, outcome.objective)
      assert.equal(await outcome.nexus.end('SIGTERM'), 0)
      await noOrphans(system)
    } finally {
      await running.nexus?.end('SIGKILL')
      await traffic.stop()
      await system.close()
    }
  }
})

/** Works one objective to its end while killing the process at random moments. */
async function playObjective(
  system: System,
  random: () => number,
  { wanted, running }: { wanted: number; running: { nexus?: Nexus } },
) {
  let nexus = await system.start()
  running.nexus = nexus
  await untilTargetReady(nexus)
  await untilServed(system, enoughCalls)
  const { objectiveId } = await nexus.mind.submitObjective({
    goal: 'reduce_latency',
    intervention: 'enable_caching',
    requestId: `crash-${random()}`,
  })
  let killed = 0
  while (killed < wanted) {
    const ended = await endedWithin(nexus, objectiveId, random() * longestLifeMs)
    if (ended) break
    await nexus.end('SIGKILL')
    killed += 1
    await noOrphans(system)
    nexus = await system.start()
    running.nexus = nexus
  }
  const objective = await eventually(
    'the objective has ended',
    async () => {
      const { objective } = await nexus.mind.getObjective({ objectiveId })
      return isFinal(objective!) ? objective : undefined
    },
    endWithinMs,
  )
  return { nexus, objective, killed }
}

async function endedWithin(nexus: Nexus, objectiveId: string, durationMs: number): Promise<boolean> {
  const endMs = performance.now() + durationMs
  for (;;) {
    const { objective } = await nexus.mind.getObjective({ objectiveId })
    if (isFinal(objective!)) return true
    if (performance.now() >= endMs) return false
    await new Promise((resolve) => setTimeout(resolve, Math.min(100, durationMs)))
  }
}

function nameOf(state: ObjectiveState): string {
  const named = Object.entries(ObjectiveState).find(([, value]) => value === state)
  return named?.[0].toLowerCase() ?? String(state)
}

function isFinal(objective: Objective): boolean {
  return objective.state !== ObjectiveState.RUNNING && objective.state !== ObjectiveState.AWAITING_APPROVAL
}

async function checkAll(system: System, nexus: Nexus, objective: Objective): Promise<void> {
  const gitdir = path.join(system.dataFolder, 'repositories', 'storefront.git')
  const commits = await commitsOf(gitdir)
  const own = commits.filter(
    (one) =>
      one.message.includes(`Nexus-Change-Id: ${objective.changeId}`) &&
      !one.message.includes('Nexus-Reverts:'),
  )
  const head = await git.resolveRef({ fs, gitdir, ref: 'refs/heads/main' })
  const [status] = (await nexus.feet.listTargets({})).targets
  assert.equal(own.length, objective.commit === '' ? 0 : 1, 'there is exactly one commit a change')
  if (objective.state === ObjectiveState.PROMOTED) {
    assert.equal(head, objective.commit)
    assert.equal(status?.stableCommit, objective.commit)
  } else {
    assert.notEqual(head, objective.commit, `main is untouched: ${objective.reason}`)
    assert.equal(status?.stableCommit, head)
  }
  assert.equal(status?.canaryWeight, 0, 'no traffic split is left')
  assert.equal(status?.canaryCommit, '')
  await eventually(
    'no worktree is left',
    async () => (await entriesOf(path.join(system.dataFolder, 'worktrees'))).length === 0,
  )
  // A version that was stable until now is given time to answer its last calls before it goes.
  await eventually(
    'only the stable version is checked out',
    async () => {
      const versions = await entriesOf(path.join(system.dataFolder, 'versions', 'storefront'))
      return versions.length === 1 && versions[0] === status?.stableCommit
    },
    retiredWithinMs,
  )
  await checkJournal(nexus, objective)
}

async function checkJournal(nexus: Nexus, objective: Objective): Promise<void> {
  const { journal } = await nexus.mind.exportJournal({ objectiveId: objective.id })
  assert.deepEqual(verifyExport(journal).ok, true)
  const place = Math.floor(journal.length / 2)
  const changed = journal[place] === 'x' ? 'y' : 'x'
  assert.equal(
    verifyExport(journal.slice(0, place) + changed + journal.slice(place + 1)).ok,
    false,
    'a changed byte is found',
  )
}

/** All commits that any branch reaches, each once. */
async function commitsOf(gitdir: string): Promise<{ oid: string; message: string }[]> {
  const branches = await git.listBranches({ fs, gitdir })
  const all = new Map<string, string>()
  for (const branch of branches) {
    for (const { oid, commit } of await git.log({ fs, gitdir, ref: `refs/heads/${branch}` }))
      all.set(oid, commit.message)
  }
  return [...all].map(([oid, message]) => ({ oid, message }))
}

async function entriesOf(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).sort()
}

/** Whatever NEXUS started has to follow it, also after `kill -9`. The traffic of the test is not NEXUS's. */
async function noOrphans(system: System): Promise<void> {
  await eventually(
    'nothing that NEXUS started is left',
    async () => (await processesOf(system.dataFolder)).length === 0,
    5000,
  )
}
