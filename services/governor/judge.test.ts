import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import {
  Author,
  type ChangeEvidence,
  type RiskVector,
  RiskVectorSchema,
} from '../gen/nexus/governor/v1/warrant_pb.ts'
import { seededRandom } from '../platform/eventually.testing.ts'
import { type AutonomyWord, autonomyWords, type Judgement, judge, requestOf } from './judge.ts'
import { loadPolicy } from './policy.ts'
import { evidenceOf, lowRisk } from './testing.ts'

const file = (name: string) => readFileSync(path.join(import.meta.dirname, 'policy', name), 'utf8')
const schema = file('schema.cedarschema')
const policy = await loadPolicy({ text: file('default.cedar'), schema, file: 'default.cedar' })

interface Row {
  readonly name: string
  readonly evidence?: Parameters<typeof evidenceOf>[0]
  readonly autonomy?: AutonomyWord
  readonly approved?: boolean
  readonly outcome: Judgement['outcome']
  readonly reason: RegExp
}

const table: readonly Row[] = [
  { name: 'a small recipe of low risk under auto', outcome: 'permitted', reason: /low-risk-recipe/ },
  {
    name: 'the same under approve',
    autonomy: 'approve',
    outcome: 'needs_approval',
    reason: /autonomy level is approve/,
  },
  {
    name: 'the same, approved',
    autonomy: 'approve',
    approved: true,
    outcome: 'permitted',
    reason: /person-approved/,
  },
  { name: 'the same under propose', autonomy: 'propose', outcome: 'permitted', reason: /branch-is-free/ },
  { name: 'the same under observe', autonomy: 'observe', outcome: 'refused', reason: /observe-only/ },
  {
    name: 'the same under observe, approved',
    autonomy: 'observe',
    approved: true,
    outcome: 'refused',
    reason: /observe-only/,
  },
  {
    name: 'checks that failed',
    evidence: { checksPassed: false },
    outcome: 'refused',
    reason: /checks-passed: types, lint and tests have not all passed/,
  },
  {
    name: 'checks that failed, approved',
    evidence: { checksPassed: false },
    approved: true,
    outcome: 'refused',
    reason: /checks-passed/,
  },
  {
    name: 'two blocking findings',
    evidence: { blockingFindings: 2 },
    outcome: 'refused',
    reason: /no-blocking-findings: .* \(2 findings\)/,
  },
  {
    name: 'a changed test',
    evidence: { paths: ['src/a.ts', 'src/a.test.ts'] },
    outcome: 'refused',
    reason: /protected-paths: .* \(src\/a\.test\.ts\)/,
  },
  {
    name: 'a way out of the repository',
    evidence: { paths: ['src/../../etc/passwd'] },
    outcome: 'refused',
    reason: /protected-paths/,
  },
  { name: 'no path at all', evidence: { paths: [] }, outcome: 'refused', reason: /changes-something/ },
  {
    name: 'a risk score of 81',
    evidence: { risk: { ...lowRisk, score: 81 } },
    outcome: 'refused',
    reason: /risk-limit: .* \(score 81\)/,
  },
  {
    name: 'a risk score of 81, approved',
    evidence: { risk: { ...lowRisk, score: 81 } },
    approved: true,
    outcome: 'refused',
    reason: /risk-limit/,
  },
  {
    name: 'a risk score of 80',
    evidence: { risk: { ...lowRisk, score: 80 } },
    outcome: 'needs_approval',
    reason: /risk score is 80/,
  },
  {
    name: 'a risk score of 51',
    evidence: { risk: { ...lowRisk, score: 51 } },
    outcome: 'needs_approval',
    reason: /risk score is 51/,
  },
  {
    name: 'a risk score of 50',
    evidence: { risk: { ...lowRisk, score: 50 } },
    outcome: 'permitted',
    reason: /low-risk-recipe/,
  },
  { name: 'no risk at all', evidence: { risk: undefined }, outcome: 'refused', reason: /risk-limit/ },
  {
    name: '201 lines',
    evidence: { risk: { ...lowRisk, lines: 201 } },
    outcome: 'needs_approval',
    reason: /201 lines/,
  },
  {
    name: 'six files',
    evidence: { risk: { ...lowRisk, files: 6 } },
    outcome: 'needs_approval',
    reason: /needs a person's approval/,
  },
  {
    name: 'six paths that call themselves one file',
    evidence: { paths: ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `src/${name}.ts`) },
    outcome: 'needs_approval',
    reason: /6 files/,
  },
  {
    name: 'a model in docker',
    evidence: { author: Author.MODEL, sandboxTier: 'docker' },
    outcome: 'needs_approval',
    reason: /a language model wrote it/,
  },
  {
    name: 'a model in bubblewrap, approved',
    evidence: { author: Author.MODEL },
    approved: true,
    outcome: 'permitted',
    reason: /person-approved/,
  },
  {
    name: 'a model on the host',
    evidence: { author: Author.MODEL, sandboxTier: 'host' },
    outcome: 'refused',
    reason: /model-needs-isolation: .* \(they ran in host\)/,
  },
  {
    name: 'a model in unshare, approved',
    evidence: { author: Author.MODEL, sandboxTier: 'unshare' },
    approved: true,
    outcome: 'refused',
    reason: /model-needs-isolation/,
  },
  {
    name: 'a model in an unnamed tier',
    evidence: { author: Author.MODEL, sandboxTier: '' },
    outcome: 'refused',
    reason: /an unnamed tier/,
  },
  {
    name: 'a recipe on the host',
    evidence: { sandboxTier: 'host' },
    outcome: 'permitted',
    reason: /low-risk-recipe/,
  },
  {
    name: 'an author that is not known',
    evidence: { author: Author.UNSPECIFIED },
    outcome: 'needs_approval',
    reason: /language model/,
  },
]

for (const { name, evidence, autonomy = 'auto', approved = false, outcome, reason } of table) {
  test(`policy: ${name} is ${outcome}`, () => {
    const judgement = judge(policy, { evidence: evidenceOf(evidence), autonomy, approved })
    assert.equal(judgement.outcome, outcome, judgement.reasons.join('; '))
    assert.match(judgement.reasons.join('; '), reason)
    assert.deepEqual(
      judgement.permits,
      outcome === 'refused' ? [] : autonomy === 'propose' ? ['commit'] : ['commit', 'deploy'],
    )
  })
}

test('a refusal names every policy that forbids', () => {
  const evidence = evidenceOf({ checksPassed: false, blockingFindings: 1, risk: { ...lowRisk, score: 99 } })
  const { reasons } = judge(policy, { evidence, autonomy: 'auto', approved: false })
  assert.equal(reasons.length, 3)
})

test('a forbid that cannot be evaluated is a no: the trap that Cedar sets is closed', async () => {
  const text = `
    @id("trap") forbid (principal, action, resource) when { context.risk.score + 9223372036854775807 > 0 };
    @id("all") permit (principal, action, resource);`
  const trap = await loadPolicy({ text, schema, file: 'trap.cedar' })
  const answer = trap.decide(
    requestOf({ evidence: evidenceOf(), autonomy: 'auto', approved: true }, 'deploy'),
  )
  assert.equal(answer.allowed, false)
  assert.match(answer.errors.join(), /trap: .*overflow/)
  const judgement = judge(trap, { evidence: evidenceOf(), autonomy: 'auto', approved: false })
  assert.equal(judgement.outcome, 'refused')
  assert.match(judgement.reasons.join(), /could not be applied, which counts as no/)
})

test('a request that lacks what the schema asks for is a no', () => {
  const request = requestOf({ evidence: evidenceOf(), autonomy: 'auto', approved: true }, 'deploy')
  const { risk: _, ...context } = request.context
  const answer = policy.decide({ ...request, context })
  assert.equal(answer.allowed, false)
  assert.match(answer.errors.join(), /risk/)
})

test('a policy without @id, with two of one @id, with a template, or without any policy stops the start', async () => {
  const load = (text: string) => loadPolicy({ text, schema, file: 'own.cedar' })
  await assert.rejects(load('permit (principal, action, resource);'), /own\.cedar: every policy needs an @id/)
  const twice =
    '@id("a") permit (principal, action, resource); @id("a") forbid (principal, action, resource);'
  await assert.rejects(load(twice), /two policies have the @id "a"/)
  await assert.rejects(load('@id("a") permit (principal == ?principal, action, resource);'), /own\.cedar/)
  await assert.rejects(load('// nothing'), /no policy/)
  await assert.rejects(load('\n\npermit (principal'), /own\.cedar:3/)
})

test('shares that are not numbers are the worst there is', () => {
  const risk = create(RiskVectorSchema, {
    ...lowRisk,
    worstBurn: Number.NaN,
    harmProbability: Number.POSITIVE_INFINITY,
  })
  const { context } = requestOf(
    { evidence: evidenceOf({ risk }), autonomy: 'auto', approved: false },
    'deploy',
  )
  const seen = context.risk as Record<string, number>
  assert.equal(seen.worst_burn_permille, 1_000_000_000_000)
  assert.equal(seen.harm_permille, 1_000_000_000_000)
})

const severity = { permitted: 0, needs_approval: 1, refused: 2 } as const

function randomRisk(random: () => number): RiskVector {
  const upTo = (most: number) => Math.floor(random() * (most + 1))
  return create(RiskVectorSchema, {
    blastRadius: random(),
    harmProbability: random(),
    worstBurn: random() * 3,
    rollbackS: random() * 600,
    novelty: random(),
    files: upTo(10),
    lines: upTo(400),
    score: upTo(100),
  })
}

/** Makes one dimension worse, never better. */
function worse(risk: RiskVector, random: () => number): RiskVector {
  const dimensions = [
    'blastRadius',
    'harmProbability',
    'worstBurn',
    'rollbackS',
    'novelty',
    'files',
    'lines',
    'score',
  ] as const
  const dimension = dimensions[Math.floor(random() * dimensions.length)]!
  const raised = create(RiskVectorSchema, { ...risk })
  const shares = ['blastRadius', 'harmProbability', 'novelty']
  if (shares.includes(dimension)) raised[dimension] += (1 - raised[dimension]) * random()
  else if (dimension === 'score') raised.score += Math.floor((100 - raised.score) * random())
  else raised[dimension] += Math.ceil(random() * 100)
  return raised
}

test('raising any risk never makes a judgement milder', () => {
  const random = seededRandom(20261122)
  const oneOf = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!
  for (let round = 0; round < 1_000; round += 1) {
    const risk = randomRisk(random)
    const common = {
      author: oneOf([Author.RECIPE, Author.MODEL]),
      sandboxTier: oneOf(['docker', 'bubblewrap', 'unshare', 'host']),
      checksPassed: random() < 0.9,
      blockingFindings: random() < 0.9 ? 0 : 1,
    }
    const change = { autonomy: oneOf(autonomyWords), approved: random() < 0.5 }
    const outcomeOf = (evidence: ChangeEvidence) => judge(policy, { ...change, evidence }).outcome
    const before = outcomeOf(evidenceOf({ ...common, risk }))
    const after = outcomeOf(evidenceOf({ ...common, risk: worse(risk, random) }))
    assert.ok(severity[after] >= severity[before], `round ${round}: ${before} became ${after}`)
  }
})
