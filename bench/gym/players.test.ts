import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createProver } from '../../services/meta-controller/proof/prover.ts'
import { countAlarms } from './alarms.ts'
import { kinds } from './kinds.ts'
import { playMind } from './mind.ts'
import { consult } from './oracle.ts'
import { proverOf } from './proof.ts'
import { playRules } from './rules-player.ts'
import { scoreOf } from './score.ts'
import { drawWorld, type World } from './world.ts'

const prover = createProver()
const prove = proverOf(prover)
after(() => prover.close())

function worldOf(kind: string): World {
  const index = kinds.findIndex(({ name }) => name === kind)
  return drawWorld(2000 - (2000 % kinds.length) + index)
}

test('the engines leave a healthy world alone, at no cost', async () => {
  const world = worldOf('healthy')
  const play = await playMind(world, prove)
  const score = scoreOf(world, consult(world), play)
  assert.deepEqual([play.ending, score.regret, score.isRight], ['declined', 0, true])
})

test('the engines mend transient errors where they arise', async () => {
  const world = worldOf('transient errors')
  const play = await playMind(world, prove)
  assert.equal(play.culprit, world.rootCause)
  assert.equal(play.promoted?.kind, 'add_retry')
  const verdict = consult(world)
  const score = scoreOf(world, verdict, play)
  assert.ok(score.isRight && score.isGoodRollout && !score.isFalseRollback)
  assert.ok(score.regret < 0.15 * verdict.best.value)
  assert.deepEqual(score.violations, [])
})

test('a defect that no trial showed is found by the canary and undone', async () => {
  const world = worldOf('defect: errors')
  const play = await playMind(world, prove)
  assert.notEqual(play.rolledOut, undefined)
  assert.equal(play.promoted, undefined)
  assert.ok(scoreOf(world, consult(world), play).isRight)
})

test('retries that would multiply beyond the limit are refused before any client meets them', async () => {
  const world = worldOf('nested retries')
  const tempting = world.interventions.find(
    ({ edge, kind }) => edge.callee === world.rootCause && kind === 'add_retry',
  )
  const proofs = await prove(world, tempting!)
  const refuted = proofs.filter(({ status }) => status === 'refuted')
  assert.ok(refuted.length > 0)
  assert.match(refuted[0]!.remark ?? '', /times its requests without retries/)
})

test('a time-out shorter than what the callee may need is refused', async () => {
  const world = worldOf('inverted time-outs')
  const tempting = world.interventions.find(({ kind, edge }) => {
    const callee = world.spec.services.find(({ name }) => name === edge.callee)!
    return kind === 'add_timeout' && (callee.calls ?? []).flat().some(({ to }) => to === world.rootCause)
  })
  const proofs = await prove(world, tempting!)
  assert.ok(proofs.some(({ name, status }) => name.startsWith('time-outs of') && status === 'refuted'))
})

test('nothing is tried that is not proven', async () => {
  const world = worldOf('transient errors')
  const unable = async () => [{ name: 'deadline', status: 'not proven', remark: 'Z3 is absent' } as const]
  const play = await playMind(world, unable)
  assert.deepEqual([play.ending, play.rolledOut, play.seconds], ['declined', undefined, 0])
})

test('the rules act by their thresholds and leave what is within them', () => {
  assert.equal(playRules(worldOf('healthy')).ending, 'declined')
  assert.notEqual(playRules(worldOf('transient errors')).rolledOut, undefined)
})

test('detection raises no alarm in a healthy world', () => {
  const { alarms, serviceWeeks } = countAlarms(worldOf('healthy'))
  assert.equal(alarms, 0)
  assert.ok(serviceWeeks > 0.01)
})
