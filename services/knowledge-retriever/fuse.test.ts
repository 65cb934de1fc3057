import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fuse } from './fuse.ts'
import { KnowledgeGraph } from './graph.ts'
import { prepareDocument } from './prepare.ts'
import { retrieve } from './retrieve.ts'

const texts = ['Tin is a metal.', 'Tin melts early.', 'Bread is baked.', 'Tin cans are thin.']
const graph = new KnowledgeGraph()
graph.apply({
  removed: [],
  added: texts.map((text, index) => prepareDocument({ id: `d${index}`, title: '', text, source: '' })),
})
const found = retrieve(graph, 'tin', 10)
const order = found.map(({ passage }) => passage.id)

const fused = (near: string[], limit = 10) =>
  fuse(
    graph,
    found,
    near.map((passageId) => ({ passageId, cosine: 0.5 })),
    limit,
  )

test('without vectors the order is that of words and names', () => {
  assert.deepEqual(
    fused([]).map(({ passage }) => passage.id),
    order,
  )
})

test('a score is the convex mix of reciprocal ranks, and both means together beat either', () => {
  const [first, second] = order as [string, string]
  const result = fused([second, 'd2#0'])
  assert.equal(result[0]?.passage.id, second)
  assert.equal(result[0]?.score, 0.7 / 12 + 0.3 / 11)
  assert.equal(result.find(({ passage }) => passage.id === first)?.score, 0.7 / 11)
  assert.equal(result.find(({ passage }) => passage.id === 'd2#0')?.score, 0.3 / 12)
})

test('what vectors alone have found comes in, without names that lead there; what is gone does not', () => {
  const result = fused(['gone#0', 'd2#0'])
  assert.deepEqual(result.at(-1)?.entities, [])
  assert.deepEqual(new Set(result.map(({ passage }) => passage.id)), new Set([...order, 'd2#0']))
  assert.equal(fused(['d2#0'], 2).length, 2)
})
