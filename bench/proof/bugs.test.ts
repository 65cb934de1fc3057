import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createProver } from '../../services/meta-controller/proof/prover.ts'
import { findBug, seededBug } from './bugs.ts'

const prover = createProver()
after(() => prover.close())
const properties = 11

test('a seeded bug of each property is refuted, and its counterexample shows the violation when it is replayed', async () => {
  const found = new Set<string>()
  for (let seed = 501; seed < 501 + properties; seed++) {
    const { caught, unproven, words, replay, property } = await findBug(prover, seed)
    assert.equal(unproven, 0, 'the mesh without the bug')
    assert.ok(caught, `${words}; replay: ${replay}`)
    found.add(property)
  }
  assert.equal(found.size, properties)
})

test('a seed gives the same mesh and the same bug again', () => {
  assert.deepEqual(seededBug(7), seededBug(7))
  assert.notDeepEqual(seededBug(7), seededBug(18))
})
