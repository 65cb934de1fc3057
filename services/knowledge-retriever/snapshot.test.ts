import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KnowledgeGraph } from './graph.ts'
import { prepareDocument } from './prepare.ts'
import { SnapshotError } from './snapshot.ts'

function graphOf(...texts: string[]): KnowledgeGraph {
  const graph = new KnowledgeGraph()
  const added = texts.map((text, index) => prepareDocument({ id: `d${index}`, title: '', text, source: 's' }))
  graph.apply({ removed: [], added })
  return graph
}

test('a loaded graph is changed like the one that the snapshot was taken of', () => {
  const graph = graphOf('Ada Lovelace met Charles Babbage.', 'Charles Babbage built an engine.', ' ')
  const loaded = KnowledgeGraph.load(graph.snapshot())
  assert.deepEqual(loaded.counts, graph.counts)
  loaded.apply({ removed: ['d0', 'd1', 'd2'], added: [] })
  assert.deepEqual(loaded.counts, new KnowledgeGraph().counts)
  assert.equal(loaded.vocabulary.idOf('babbage'), undefined)
})

test('an empty graph and odd texts go through a snapshot', () => {
  assert.equal(KnowledgeGraph.load(new KnowledgeGraph().snapshot()).counts.documents, 0)
  const graph = graphOf('emoji 😀 copper', 'עברית nickel', 'nul \u0000 inside zinc', '__proto__ constructor')
  assert.deepEqual(KnowledgeGraph.load(graph.snapshot()).counts, graph.counts)
})

test('a snapshot that was cut, changed or made by another version is refused', () => {
  const bytes = graphOf('Tin is a metal.').snapshot()
  const changed = bytes.slice()
  changed[changed.length - 1] = (changed.at(-1) as number) ^ 1
  for (const bad of [
    bytes.slice(0, -1),
    changed,
    new Uint8Array(0),
    new TextEncoder().encode('nexus-graph-0\n'),
  ]) {
    assert.throws(() => KnowledgeGraph.load(bad), SnapshotError)
  }
})
