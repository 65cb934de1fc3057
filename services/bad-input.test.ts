import assert from 'node:assert/strict'
import fs from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { Code, ConnectError } from '@connectrpc/connect'
import git from 'isomorphic-git'
import { commitAll } from './example.ts'
import { ChangeState } from './gen/nexus/code_modifier/v1/change_pb.ts'
import { type Objective, ObjectiveState } from './gen/nexus/meta_controller/v1/objective_pb.ts'
import { eventually } from './platform/eventually.testing.ts'
import { verifyExport } from './platform/journal/export.ts'
import { createSystem, type Nexus, type System, untilServed, untilTargetReady } from './system.testing.ts'

/** What goes wrong outside NEXUS: each gives one clear error, NEXUS stays up, and nothing is lost or half done. */

const timeout = 240_000
const manifest = 'services: [{name: x}]\ncommands: {test: [node, test.js], start: [node, main.js]}\n'
let repositories = ''
let system: System
let nexus: Nexus
const key = { apikey: 'a-key-for-bad-input' }

before(
  async () => {
    repositories = await mkdtemp(path.join(tmpdir(), 'nexus-bad-input-'))
    await makeRepository('malformed', 'name: malformed\n')
    await makeRepository('dirty', `name: dirty\n${manifest}`)
    await makeRepository('dying', `name: dying\n${manifest}`, {
      'main.js': "throw new Error('the shelves are missing')\n",
    })
    await mkdir(path.join(repositories, 'folder'))
    const names = ['malformed', 'dirty', 'dying', 'folder']
    const otherTargets = names.map((name) => `${name}=${path.join(repositories, name)}`).join(',')
    system = await createSystem({ edit: breakTests, otherTargets })
    nexus = await system.start()
    const admin = (place: string, body: string) =>
      fetch(`http://127.0.0.1:${system.adminPort}${place}`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body,
      })
    assert.equal((await admin('/consumers/', 'username=me')).status, 201)
    assert.equal((await admin('/consumers/me/key-auth', `key=${key.apikey}`)).status, 201)
  },
  { timeout },
)

after(async () => {
  await nexus?.end('SIGTERM')
  await system?.close()
  await rm(repositories, { recursive: true, force: true })
})

async function makeRepository(name: string, text: string, files: Record<string, string> = {}): Promise<void> {
  const folder = path.join(repositories, name)
  await mkdir(folder)
  const all = { 'nexus.yaml': text, 'main.js': '', 'test.js': '', ...files }
  for (const [file, content] of Object.entries(all)) await writeFile(path.join(folder, file), content)
  await commitAll(folder, 'Begin')
}

/** The storefront is well but for one test, which fails before any change. */
async function breakTests(copy: string): Promise<void> {
  const broken =
    "import { test } from 'node:test'\ntest('the roof is tight', () => { throw new Error('it rains in') })\n"
  await writeFile(path.join(copy, 'test', 'roof.test.ts'), broken)
}

async function submit(wish: object): Promise<{ status: number; text: string }> {
  const url = `http://127.0.0.1:${system.restPort}/meta-controller/api/v1/objective`
  const response = await fetch(url, { method: 'POST', headers: key, body: JSON.stringify(wish) })
  return { status: response.status, text: await response.text() }
}

/** Submits over REST, expects a refusal whose message matches, and looks that nothing is left of it. */
async function refused(wish: object, status: number, message: RegExp): Promise<void> {
  const reply = await submit(wish)
  assert.equal(reply.status, status, reply.text)
  assert.match((JSON.parse(reply.text) as { error: { message: string } }).error.message, message)
  await nothingHalfDone()
}

/** No worktree, no branch of a change, every objective ended and its journal sound. */
async function nothingHalfDone(): Promise<void> {
  assert.deepEqual(await namesIn('worktrees'), [])
  // The deployer may be making mirrors at this moment, for targets that have become usable; those are not in place yet.
  for (const mirror of (await namesIn('repositories')).filter((name) => name.endsWith('.git'))) {
    const gitdir = path.join(system.dataFolder, 'repositories', mirror)
    assert.deepEqual(await git.listBranches({ fs, gitdir }), ['main'], mirror)
  }
  for (const { id, state } of (await nexus.mind.listObjectives({})).objectives) {
    assert.notEqual(state, ObjectiveState.RUNNING)
    const { journal } = await nexus.mind.exportJournal({ objectiveId: id })
    assert.equal(verifyExport(journal).ok, true)
  }
  const ready = await fetch(`http://127.0.0.1:${system.metricsPort}/readyz`)
  assert.equal(ready.status, 200)
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(path.join(system.dataFolder, folder)).catch(() => [])
}

async function toTheEnd(wish: object): Promise<Objective> {
  const { objectiveId } = await nexus.mind.submitObjective(wish)
  return eventually(
    'the objective has ended',
    async () => {
      const { objective } = await nexus.mind.getObjective({ objectiveId })
      return objective?.state === ObjectiveState.RUNNING ? undefined : objective
    },
    timeout,
  )
}

test('a malformed nexus.yaml is told with its field, whatever is wrong with it', { timeout }, async () => {
  const file = path.join(repositories, 'malformed', 'nexus.yaml')
  const wrong = [
    ['name: malformed\n', /^nexus\.yaml: services is missing: write the services that it starts, such as/],
    [
      `name: malformed\n${manifest}sevrices: []\n`,
      /^nexus\.yaml: sevrices is not a field of this file: take out/,
    ],
    [`name: malformed\n${manifest}branch: 7\n`, /^nexus\.yaml: branch is wrong/],
    [
      `name: malformed\n${manifest}rollout: {steps: [{weight: 200}]}\n`,
      /^nexus\.yaml: rollout\.steps\[0\]\.weight/,
    ],
    [`name: malformed\n${manifest}protected: ["a", "["\n`, /^nexus\.yaml: is not YAML/],
    [
      `name: another\n${manifest}`,
      /^nexus\.yaml: name is another, but NEXUS_TARGETS calls the target malformed/,
    ],
  ] as const
  for (const [text, message] of wrong) {
    await writeFile(file, text)
    await commitAll(path.dirname(file), 'Change')
    await refused({ goal: 'reduce_latency', target: 'malformed' }, 400, message)
  }
})

test('a folder that is no repository is told with the remedy', { timeout }, () =>
  refused(
    { goal: 'reduce_latency', target: 'folder' },
    400,
    /folder is not a git repository: name the folder of one in NEXUS_TARGETS/,
  ),
)

test('uncommitted changes are told with their paths, and committed, they are no hindrance', {
  timeout,
}, async () => {
  const folder = path.join(repositories, 'dirty')
  await writeFile(path.join(folder, 'main.js'), 'changed()\n')
  await writeFile(path.join(folder, 'new.js'), '')
  const before = await readFile(path.join(folder, '.git', 'index'))
  await refused(
    { goal: 'reduce_latency', target: 'dirty' },
    400,
    /has uncommitted changes \(main\.js, new\.js\): commit, stash or ignore them/,
  )
  assert.deepEqual(await readFile(path.join(folder, '.git', 'index')), before, 'the index is as it was')
  await commitAll(folder, 'Commit them')
  const { head } = await nexus.hands.inspectTarget({ target: 'dirty' })
  assert.equal(head, await git.resolveRef({ fs, dir: folder, ref: 'main' }))
})

test('an unknown target, goal, metric and autonomy are told by their field', { timeout }, async () => {
  await refused(
    { goal: 'reduce_latency', target: 'garage' },
    404,
    /^target: "garage" is not known; there is storefront/,
  )
  const bad = { target: 'storefront' }
  await refused({ ...bad, goal: 'world_peace' }, 400, /goal/)
  await refused({ ...bad, goal: '' }, 400, /goal/)
  await refused({ ...bad, goal: 'reduce_latency', target_metric: 'beauty' }, 400, /target_metric/)
  await refused({ ...bad, goal: 'reduce_latency', autonomy: 'TOTAL' }, 400, /autonomy/)
  await refused({ ...bad, goal: 'reduce_latency', intervention: 'Rewrite it!' }, 400, /intervention/)
})

test('a target that does not start is told by ListTargets and in its objective’s reason, and the others run', {
  timeout,
}, async () => {
  const status = await eventually(
    'the deployer has tried to start it',
    async () => {
      const { targets } = await nexus.feet.listTargets({})
      const dying = targets.find((one) => one.target === 'dying')
      return dying?.remark.includes('the shelves are missing') ? dying : undefined
    },
    60_000,
  )
  assert.equal(status.ready, false)
  const objective = await toTheEnd({ goal: 'reduce_latency', target: 'dying' })
  assert.equal(objective.state, ObjectiveState.DECLINED, objective.reason)
  assert.match(objective.reason, /^not enough evidence: the target is not ready: .*the shelves are missing/s)
  await nothingHalfDone()
})

test('tests that fail before the change end the objective with the reason', { timeout }, async (t) => {
  await untilTargetReady(nexus)
  const traffic = system.startTraffic()
  t.after(traffic.stop)
  await untilServed(system, 300)
  const objective = await toTheEnd({
    goal: 'reduce_latency',
    intervention: 'enable_caching',
    target: 'storefront',
  })
  assert.equal(objective.state, ObjectiveState.DECLINED, objective.reason)
  assert.match(
    objective.reason,
    /^enable_caching: the target's tests fail before the change: it ended with exit code 1 .*it rains in/s,
  )
  const { change } = await nexus.hands.getChange({ changeId: objective.changeId })
  assert.equal(change?.state, ChangeState.REFUSED)
  assert.deepEqual(
    change?.checks.map((check) => [check.name, check.passed]),
    [['tests-before', false]],
  )
  const committing = nexus.hands.commitChange({ changeId: objective.changeId })
  await assert.rejects(committing, (error) => ConnectError.from(error).code === Code.FailedPrecondition)
  await nothingHalfDone()
  const whole = async () => !(await namesIn('repositories')).some((name) => name.includes('.tmp-'))
  await eventually('no mirror is left half made', whole, 60_000)
})
