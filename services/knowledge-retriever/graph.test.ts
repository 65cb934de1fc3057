import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../platform/eventually.testing.ts'
import { KnowledgeGraph } from './graph.ts'
import { type KnownDocument, prepareDocument } from './prepare.ts'
import { retrieve } from './retrieve.ts'

const seed = 20_261_122
const rounds = 12
const stepsARound = 40

const names = [
  'Ada Lovelace',
  'West Virginia',
  'Virginia',
  'Charles Babbage',
  'Analytical Engine',
  'The Who',
  'Paris, Texas (film)',
  'Ada K. Lovelace',
  'Charles A. B. Babbage',
  'We Are the Virginia',
  'Ada, Duchess of Virginia',
]
const verbs = ['knew', 'built', 'left', 'was born in', 'wrote of']
const questions = [
  'Who built the Analytical Engine?',
  'Where is West Virginia?',
  'Did Ada Lovelace know Charles Babbage in Paris?',
]

function anyOf<T>(random: () => number, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T
}

function anyDocument(random: () => number, id: string): KnownDocument {
  const sentences = Array.from({ length: 1 + Math.floor(random() * 40) }, () => {
    return `${anyOf(random, names)} ${anyOf(random, verbs)} ${anyOf(random, names)}.`
  })
  const title = random() < 0.5 ? anyOf(random, names) : ''
  const text = sentences.join(random() < 0.2 ? '\n\n' : ' ')
  // As if a model had found names in small letters; one of them only some passages say.
  const told = random() < 0.3 ? { names: ['knew', 'born in west virginia', 'left virginia'] } : {}
  return { id, title, text, source: '', ...told }
}

function put(
  graph: KnowledgeGraph,
  documents: readonly KnownDocument[],
  removed: readonly string[] = [],
): void {
  graph.apply({ removed, added: documents.map(prepareDocument) })
}

/** All that can be asked of a graph. */
function answers(graph: KnowledgeGraph): unknown {
  const found = questions.map((question) =>
    retrieve(graph, question, 20).map(({ passage, score, entities }) => [
      passage.id,
      passage.text,
      score,
      entities,
    ]),
  )
  return { counts: graph.counts, found }
}

test('any sequence of puts, replacements and deletions answers as a fresh graph does', async () => {
  for (let round = 0; round < rounds; round += 1) {
    const random = seededRandom(seed + round)
    const graph = new KnowledgeGraph()
    const known = new Map<string, KnownDocument>()
    for (let step = 0; step < stepsARound; step += 1) {
      const ids = new Set(
        Array.from({ length: 1 + Math.floor(random() * 4) }, () => `d${Math.floor(random() * 12)}`),
      )
      const removed = [...ids].filter((id) => known.has(id))
      const added = random() < 0.3 ? [] : [...ids].map((id) => anyDocument(random, id))
      put(graph, added, removed)
      for (const id of ids) known.delete(id)
      for (const document of added) known.set(document.id, document)
    }
    const fresh = new KnowledgeGraph()
    put(
      fresh,
      [...known.values()].sort(() => random() - 0.5),
    )
    assert.deepEqual(answers(graph), answers(fresh), `round ${round}, seed ${seed + round}`)
    const loaded = await KnowledgeGraph.load(graph.snapshot())
    assert.deepEqual(answers(loaded), answers(fresh), `loaded, round ${round}, seed ${seed + round}`)
  }
})

test('merged names mean one thing, and a merge that is taken back leaves nothing', async () => {
  const random = seededRandom(seed)
  const documents = ['a', 'b', 'c', 'd'].map((id) => anyDocument(random, id))
  const graph = new KnowledgeGraph()
  put(graph, documents)
  const before = answers(graph)
  graph.apply({ removed: [], added: [], merged: [['ada lovelace', 'countess of lovelace']] })
  assert.equal(graph.entities.get('ada lovelace'), undefined)
  const merged = graph.entities.get('countess of lovelace')?.passages.length
  assert.ok(merged !== undefined && merged > 0)
  const late = new KnowledgeGraph()
  late.apply({ removed: [], added: [], merged: [['ada lovelace', 'countess of lovelace']] })
  put(late, documents)
  assert.deepEqual(answers(late), answers(graph))
  assert.deepEqual(answers(await KnowledgeGraph.load(graph.snapshot())), answers(graph))
  graph.apply({ removed: [], added: [], unmerged: ['ada lovelace'] })
  assert.deepEqual(answers(graph), before)
})

test('merges that go round in a circle are not made', () => {
  const graph = new KnowledgeGraph()
  const merged = [
    ['a', 'b'],
    ['b', 'c'],
    ['c', 'a'],
  ] as const
  graph.apply({ removed: [], added: [], merged })
  assert.equal(graph.meaningOf('a'), 'c')
  assert.equal(graph.meaningOf('c'), 'c')
  graph.apply({ removed: [], added: [], unmerged: ['b'] })
  assert.equal(graph.meaningOf('a'), 'b')
})

test('aliases that only one passage of a long document says come and go with all of it', () => {
  const graph = new KnowledgeGraph()
  const text = `Ada Maria King (born 1815), also known as Ada Lovelace, wrote.\n\n${'The engine ran on. '.repeat(200)}`
  put(graph, [{ id: 'long', title: 'Ada King', text, source: '' }])
  assert.ok(graph.passagesOf('long') > 1)
  assert.equal(graph.entities.get('ada lovelace')?.titled.length, graph.passagesOf('long'))
  put(graph, [], ['long'])
  assert.deepEqual(answers(graph), answers(new KnowledgeGraph()))
})

test('a graph that everything was deleted from is empty', () => {
  const graph = new KnowledgeGraph()
  const random = seededRandom(seed)
  const documents = ['a', 'b', 'c'].map((id) => anyDocument(random, id))
  put(graph, documents)
  put(graph, [], ['a', 'b', 'c'])
  assert.deepEqual(answers(graph), answers(new KnowledgeGraph()))
})

test('a passage is found through a name that leads from one passage to another', () => {
  const graph = new KnowledgeGraph()
  put(graph, [
    {
      id: '1',
      title: 'Blue Sparrow',
      text: 'Blue Sparrow is a film that was directed by Maria Okonjo.',
      source: '',
    },
    { id: '2', title: 'Maria Okonjo', text: 'Maria Okonjo was born in Tallinn.', source: '' },
    {
      id: '3',
      title: 'Green Sparrow',
      text: 'Green Sparrow is a film about where birds are born.',
      source: '',
    },
    { id: '4', title: 'Tin', text: 'Tin is a metal.', source: '' },
  ])
  const found = retrieve(graph, 'Where was the director of Blue Sparrow born?', 2)
  assert.deepEqual(
    found.map(({ passage }) => passage.id),
    ['1#0', '2#0'],
  )
  assert.deepEqual(found[1]?.entities, ['Maria Okonjo'])
})

test('a name that becomes known later is linked in passages that were there before', () => {
  const graph = new KnowledgeGraph()
  const earlier = {
    id: '1',
    title: 'Harbour',
    text: 'The crane at the harbour was made by Old Iron Works in spring.',
    source: '',
  }
  put(graph, [earlier])
  assert.equal(graph.entities.get('old iron works'), undefined)
  put(graph, [{ id: '2', title: 'Old Iron Works', text: 'A foundry.', source: '' }])
  assert.equal(graph.entities.get('old iron works')?.passages.length, 2)
  put(graph, [], ['2'])
  assert.equal(graph.entities.get('old iron works'), undefined)
})

test('a question that shares nothing with what is known finds nothing', () => {
  const graph = new KnowledgeGraph()
  put(graph, [{ id: '1', title: '', text: 'Tin is a metal.', source: '' }])
  assert.deepEqual(retrieve(graph, 'quantum chromodynamics', 5), [])
  assert.deepEqual(retrieve(graph, '???', 5), [])
  assert.deepEqual(retrieve(graph, 'the of and', 5), [])
})
