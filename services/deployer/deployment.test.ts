import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonValue } from '../platform/canonical-json.ts'
import type { JournalEvent } from '../platform/journal/journal.ts'
import { deploymentId, isEnded, replay } from './deployment.ts'

const begun = {
  id: 'd1',
  changeId: 'c1',
  objectiveId: 'o1',
  target: 'shop',
  commit: 'a'.repeat(40),
  stableCommit: 'b'.repeat(40),
  steps: [{ weight: 50, minSeconds: 1 }],
}
const ended = { state: 'aborted', reason: 'it was worse', verdict: 'worse', findings: [], seconds: 4 }

function journal(...events: [type: string, data: JsonValue][]): JournalEvent[] {
  return events.map(([type, data], index) => ({
    stream: 'deployment/d1',
    sequence: index + 1,
    atMs: 1000 * (index + 1),
    type,
    data,
    previousHash: '',
    hash: '',
  }))
}

test('a deployment is what its journal tells', () => {
  const deployment = replay(
    journal(['begun', begun], ['attempted', {}], ['stepped', { step: 0, weight: 50 }], ['ended', ended]),
  )
  assert.deepEqual(
    [
      deployment?.state,
      deployment?.reason,
      deployment?.weight,
      deployment?.createdAtMs,
      deployment?.endedAtMs,
    ],
    ['aborted', 'it was worse', 0, 1000, 4000],
  )
  assert.ok(isEnded(deployment!))
})

test('an interrupted deployment begins again without the weight and the evidence that it had', () => {
  const deployment = replay(
    journal(['begun', begun], ['attempted', {}], ['stepped', { step: 0, weight: 50 }], ['attempted', {}]),
  )
  assert.deepEqual(
    [deployment?.state, deployment?.weight, deployment?.attempts, deployment?.findings],
    ['starting', 0, 2, []],
  )
})

test('an empty stream is no deployment, and the id depends on change and commit', () => {
  assert.equal(replay([]), undefined)
  assert.notEqual(deploymentId('a', 'bc'), deploymentId('ab', 'c'))
  assert.equal(deploymentId('a', 'b'), deploymentId('a', 'b'))
})
