import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KnowledgeGraph } from './graph.ts'
import { prepareDocument } from './prepare.ts'
import { rankBy, rankByWords, rankTrained, rankUntrained } from './rank.ts'
import { shippedRanker } from './ranker.ts'
import { retrieve } from './retrieve.ts'
import { Search } from './search.ts'

const texts: readonly (readonly [title: string, text: string])[] = [
  ['Blue Sparrow', 'Blue Sparrow is a 1999 film that was directed by Maria Okonjo.'],
  ['Maria Okonjo', 'Maria Okonjo is a director who was born in Tallinn.'],
  ['Tallinn', 'Tallinn is the capital of Estonia.'],
  ['Green Sparrow', 'Green Sparrow is a film about birds.'],
  ['Tin', 'Tin is a metal.'],
]

const namesake = [
  'Blue Sparrow (1932 film)',
  'Blue Sparrow is a 1932 film that was directed by Jonas Lind.',
] as const

function graphOf(documents: typeof texts): KnowledgeGraph {
  const graph = new KnowledgeGraph()
  const added = documents.map(([title, text], index) =>
    prepareDocument({ id: `d${index}`, title, text, source: '' }),
  )
  graph.apply({ removed: [], added })
  return graph
}

const titlesOf = (ranked: ReturnType<typeof rankTrained>) =>
  ranked.map(({ passage }) => passage.document.title)

test('the shipped ranker puts the two passages in front that the answer is made of', () => {
  const search = new Search(graphOf(texts), 'Where was the director of the film Blue Sparrow born?')
  assert.deepEqual(titlesOf(rankTrained(search)).slice(0, 2).sort(), ['Blue Sparrow', 'Maria Okonjo'])
  assert.deepEqual(titlesOf(rankUntrained(search)).slice(0, 2).sort(), ['Blue Sparrow', 'Maria Okonjo'])
  assert.ok(!titlesOf(rankByWords(search)).includes('Tin'))
})

test('of two titles the one that the question quotes with its brackets comes first', () => {
  const found = retrieve(graphOf([...texts, namesake]), 'Who directed Blue Sparrow (1932 Film)?', 1)
  assert.equal(found[0]?.passage.document.title, 'Blue Sparrow (1932 film)')
})

test('a ranker that was trained on other features is refused', () => {
  const { first } = shippedRanker
  const other = { ...shippedRanker, first: { ...first, features: first.features.slice(1) } }
  assert.throws(() => rankBy(other), /trained on other features/)
})

test('a question of more words than count is answered by its rarest', () => {
  const words = Array.from({ length: 400 }, (_, index) => `word${index}`)
  const graph = graphOf([...texts, ['Long', words.join(' ')]])
  const found = retrieve(graph, `${words.slice(0, 200).join(' ')} Tallinn`, 3)
  assert.equal(found[0]?.passage.document.title, 'Long')
})

test('questions without words, names or letters are asked without harm', () => {
  const graph = graphOf(texts)
  for (const question of ['', '???', 'the of and', '😀', '\u0000', 'עברית', '"', 'a'.repeat(10_000)]) {
    assert.ok(retrieve(graph, question, 5).length <= 5, question.slice(0, 20))
    assert.deepEqual(retrieve(new KnowledgeGraph(), question, 5), [])
  }
})
