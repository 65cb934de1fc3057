import assert from 'node:assert/strict'
import { test } from 'node:test'
import { documentOf, questionOf, worldOf } from './documents.ts'

const world = worldOf(7, 2_000)
const documents = Array.from({ length: 2_000 }, (_, number) => documentOf(world, number))
const wordsOf = (text: string) => text.toLowerCase().match(/[a-z]+/g) ?? []

test('the same seed makes the same documents, another seed others', () => {
  assert.deepEqual(documentOf(worldOf(7, 2_000), 1_234), documents[1_234])
  assert.notEqual(documentOf(worldOf(8, 2_000), 1_234).text, documents[1_234]?.text)
})

test('documents are about 80 words long, their vocabulary goes on growing, and no word that means something is in all', () => {
  const counts = documents.map(({ text }) => wordsOf(text).length)
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length
  assert.ok(mean > 70 && mean < 95, `${mean} words`)
  const vocabulary = (count: number) =>
    new Set(documents.slice(0, count).flatMap(({ text }) => wordsOf(text))).size
  assert.ok(vocabulary(2_000) > 1.2 * vocabulary(1_000), `${vocabulary(1_000)}, ${vocabulary(2_000)}`)
  assert.ok(vocabulary(2_000) > 10_000)
  const inDocuments = new Map<string, number>()
  for (const { text } of documents) {
    for (const word of new Set(wordsOf(text)))
      if (word.length > 5) inDocuments.set(word, (inDocuments.get(word) ?? 0) + 1)
  }
  assert.ok(Math.max(...inDocuments.values()) < documents.length / 4)
})

test('documents share names, and a question names one of them and asks with its words', () => {
  const titles = new Set(documents.map(({ title }) => title))
  const joined = documents.filter(({ title, text }) =>
    [...titles].some((other) => other !== title && other.includes(' ') && text.includes(other)),
  )
  assert.ok(joined.length > documents.length / 2, `${joined.length} of ${documents.length}`)
  for (const number of [0, 1, 999]) {
    const { title, text } = documents[number] as { title: string; text: string }
    const question = questionOf(world, number)
    assert.ok(question.includes(title))
    const said = new Set(wordsOf(text))
    assert.ok(wordsOf(question).filter((word) => word.length > 3 && said.has(word)).length >= 5, question)
  }
})
