import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvariantError } from '../platform/invariant.ts'
import { KnowledgeGraph } from './graph.ts'
import { prepareDocument } from './prepare.ts'
import { Scratch } from './scratch.ts'
import { Search } from './search.ts'

test('what is lent is all zeros, whatever the question before has left in it, also when it has grown', () => {
  const scratch = new Scratch()
  for (const length of [3, 3, 2, 10]) {
    const [floats, integers] = [scratch.floats('settled', length), scratch.integers('waiting', length)]
    assert.deepEqual([[...floats], [...integers]], [Array(length).fill(0), Array(length).fill(0)])
    floats.fill(7)
    integers.fill(7)
  }
  assert.equal(scratch.floats('settled', 5).buffer, scratch.floats('settled', 5).buffer)
  assert.notEqual(scratch.floats('settled', 5).buffer, scratch.floats('residual', 5).buffer)
})

test('a search that is read after the next one has begun fails, instead of telling the other one', () => {
  const graph = new KnowledgeGraph()
  const document = { id: 'a', title: 'Tin', text: 'Tin is a metal.', source: '' }
  graph.apply({ removed: [], added: [prepareDocument(document)] })
  const first = new Search(graph, 'What is tin?')
  assert.ok((first.words.scores[0] as number) > 0)
  const second = new Search(graph, 'zinc')
  assert.throws(() => first.words, InvariantError)
  assert.throws(() => first.walk, InvariantError)
  assert.equal(second.words.best, 0)
})
