import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serialize } from 'node:v8'
import { KnowledgeGraph } from './graph.ts'
import { prepareDocument } from './prepare.ts'
import { retrieve } from './retrieve.ts'
import { GraphChangedError, SnapshotError } from './snapshot.ts'

function graphOf(...texts: string[]): KnowledgeGraph {
  const graph = new KnowledgeGraph()
  const added = texts.map((text, index) => prepareDocument({ id: `d${index}`, title: '', text, source: 's' }))
  graph.apply({ removed: [], added })
  return graph
}

test('a loaded graph is changed like the one that the snapshot was taken of', async () => {
  const graph = graphOf('Ada Lovelace met Charles Babbage.', 'Charles Babbage built an engine.', ' ')
  const loaded = await KnowledgeGraph.load(graph.snapshot())
  assert.deepEqual(loaded.counts, graph.counts)
  loaded.apply({ removed: ['d0', 'd1', 'd2'], added: [] })
  assert.deepEqual(loaded.counts, new KnowledgeGraph().counts)
  assert.equal(loaded.vocabulary.idOf('babbage'), undefined)
})

test('an empty graph and odd texts go through a snapshot', async () => {
  const empty = await KnowledgeGraph.load(new KnowledgeGraph().snapshot())
  assert.equal(empty.counts.documents, 0)
  const graph = graphOf('emoji 😀 copper', 'עברית nickel', 'nul \u0000 inside zinc', '__proto__ constructor')
  assert.deepEqual((await KnowledgeGraph.load(graph.snapshot())).counts, graph.counts)
})

/** So many that their snapshot has several parts. */
function manyTexts(count: number): string[] {
  return Array.from(
    { length: count },
    (_, number) => `Number ${number} met Ada Lovelace in ${1800 + (number % 50)}.`,
  )
}

test('a graph in many parts is loaded as it was, with the words and names that the parts share', async () => {
  const graph = graphOf(...manyTexts(1_000))
  assert.ok([...graph.snapshot()].length > 5)
  const loaded = await KnowledgeGraph.load(graph.snapshot())
  assert.deepEqual(loaded.counts, graph.counts)
  const found = (of: KnowledgeGraph) => retrieve(of, 'Who met Ada Lovelace in 1807?', 20)
  assert.deepEqual(
    found(loaded).map(({ passage, score }) => [passage.id, passage.text, score]),
    found(graph).map(({ passage, score }) => [passage.id, passage.text, score]),
  )
  const all = Array.from({ length: 1_000 }, (_, number) => `d${number}`)
  loaded.apply({ removed: all, added: [] })
  assert.deepEqual(loaded.counts, new KnowledgeGraph().counts)
  assert.equal(loaded.vocabulary.idOf('lovelace'), undefined)
})

test('a snapshot of which a part is missing, or made by another version, is refused', async () => {
  const parts = [...graphOf(...manyTexts(300)).snapshot()]
  const refused = (bad: Uint8Array[]) => assert.rejects(KnowledgeGraph.load(bad), SnapshotError)
  await refused([])
  await refused(parts.slice(0, -1))
  await refused([...parts.slice(0, -1), (parts.at(-1) as Uint8Array).slice(0, -9)])
  await refused([serialize({ format: 'nexus-graph-0', documents: 0, merged: [] })])
  await refused([new TextEncoder().encode('nexus-graph-2')])
})

test('a snapshot is of the moment in which it was asked for, and ends when the graph changes', () => {
  const graph = graphOf(...manyTexts(300))
  const parts = graph.snapshot()[Symbol.iterator]()
  const later = graph.snapshot()
  parts.next()
  graph.apply({ removed: ['d7'], added: [] })
  assert.throws(() => parts.next(), GraphChangedError)
  assert.throws(() => [...later], GraphChangedError)
  assert.ok([...graph.snapshot()].length > 1)
})
