import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../services/platform/statistics/random.ts'
import { withNamesakes } from './namesakes.ts'
import { scoreRow, trainNetwork } from './network.ts'
import { estimate, recallOf } from './recall.ts'
import { joinedSets } from './sets.ts'

const options = { units: 4, epochs: 40, learningRate: 0.02, decay: 0.01 }

test('a network learns what a sum of features cannot tell, and the same seed gives the same network', () => {
  const random = seededRandom('rows')
  const questions = Array.from({ length: 200 }, () => {
    const rows = Array.from({ length: 6 }, () => Float64Array.of(random() * 2 - 1, random() * 2 - 1))
    // Wanted are the rows whose first feature is nearest to 0.
    const distances = rows.map(([first = 0]) => Math.abs(first))
    const nearest = Math.min(...distances)
    return { rows, gold: distances.map((distance) => distance === nearest), weight: 1 }
  })
  const network = trainNetwork(questions, { ...options, random: seededRandom(7) })
  const best = questions.filter(({ rows, gold }) => {
    const scores = rows.map((row) => scoreRow(network, row, new Float64Array(options.units)))
    return gold[scores.indexOf(Math.max(...scores))] === true
  })
  assert.ok(best.length > 150, `${best.length} of 200`)
  assert.deepEqual(trainNetwork(questions, { ...options, random: seededRandom(7) }), network)
})

test('recall counts each document once, and questions of known hops have their official share', () => {
  const question = { id: '2hop__1', question: '', gold: [1, 2] }
  assert.deepEqual(recallOf(question, [1, 1, 3, 2]), { id: '2hop__1', at2: 0.5, at5: 1 })
  const recall = (id: string, at5: number) => ({ id, at2: 0, at5 })
  const hops = [recall('2hop__a', 1), recall('2hop__b', 1), recall('3hop__c', 0), recall('4hop__d', 0)]
  assert.equal(estimate(hops, ({ at5 }) => at5).mean.toFixed(1), '51.8')
  assert.equal(estimate([recall('x', 1), recall('y', 0)], ({ at5 }) => at5).mean, 50)
})

test('joined sets keep each question with its own gold', () => {
  const set = (name: string) => ({
    name,
    passages: [{ title: `${name} 0`, text: '' }],
    questions: [{ id: 'q', question: '', gold: [0] }],
  })
  const joined = joinedSets([set('one'), set('two')])
  assert.deepEqual(
    joined.questions.map(({ id, gold }) => [id, joined.passages[gold[0] as number]?.title]),
    [
      ['one/q', 'one 0'],
      ['two/q', 'two 0'],
    ],
  )
})

test('namesakes are made of sentences that say a title elsewhere, none of them from a wanted passage', () => {
  const passage = (title: string, text: string) => ({ title, text })
  const set = {
    name: 'joined',
    passages: [
      passage('Tallinn', 'Tallinn is a city.'),
      passage('Jonas', 'Jonas left Tallinn. He sang.'),
      passage('Maria', 'Maria saw Tallinn! She sang. Then Tallinn saw her.'),
      passage('Wanted', 'Wanted was made in Tallinn.'),
    ],
    questions: [{ id: 'q', question: '', gold: [3] }],
  }
  const { passages, questions } = withNamesakes(set)
  assert.deepEqual(questions, set.questions)
  assert.deepEqual(passages.slice(0, 4), set.passages)
  assert.deepEqual(
    passages.slice(4).map(({ title }) => title),
    ['Tallinn'],
  )
  const sentences = passages[4]?.text.split(/(?<=[.!]) /).sort()
  assert.deepEqual(sentences, ['Jonas left Tallinn.', 'Maria saw Tallinn!', 'Then Tallinn saw her.'])
})
