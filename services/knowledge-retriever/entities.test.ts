import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tokenize } from '../platform/text.ts'
import { capitalisedNames, inducedTitle, titleNames } from './entities.ts'
import { Gazetteer } from './gazetteer.ts'
import { readQuestion } from './question.ts'

const namesIn = (text: string) => [...capitalisedNames(text, tokenize(text))]

test('a title gives its name without what stands in brackets, and the part before its comma', () => {
  assert.deepEqual(titleNames('Paris, Texas (film)'), [
    { key: 'paris texas', weight: 1 },
    { key: 'paris texas film', weight: 1 },
    { key: 'paris', weight: 0.7 },
  ])
  assert.deepEqual(titleNames('The Éclair'), [{ key: 'eclair', weight: 1 }])
  for (const title of ['', '???', '1984', 'The Of', 'May']) assert.deepEqual(titleNames(title), [], title)
})

test('names are runs of capitals, joined by small words, within a sentence', () => {
  assert.deepEqual(namesIn('He met Ludwig van Beethoven in Bonn. Later he left.'), [
    'ludwig van beethoven in bonn',
    'ludwig van beethoven',
    'bonn',
    'later',
  ])
  assert.deepEqual(namesIn("The Storefront's latency, seen by Kong. Istio retried."), [
    'storefront',
    'kong',
    'istio',
  ])
  assert.deepEqual(namesIn('in June on Monday the 5 left'), [])
})

test('a document without a title is linked by its heading, its first line, or the first name in it', () => {
  assert.equal(inducedTitle('## Release notes\n\nText.'), 'Release notes')
  assert.equal(inducedTitle('Release notes\nText follows here.'), 'Release notes')
  assert.equal(inducedTitle('It was built by Ada Lovelace, in London.'), 'Ada Lovelace')
  assert.equal(inducedTitle('nothing here has a capital'), '')
})

test('the longest known name counts, and one inside it counts less', () => {
  const gazetteer = new Gazetteer()
  for (const key of ['west virginia', 'virginia', 'charles town']) gazetteer.count(key, 'titles', 1)
  const matches = gazetteer.matches(tokenize('In Charles Town, West Virginia, and in Virginia.'))
  assert.deepEqual(
    matches.map(({ key, isInside }) => [key, isInside]),
    [
      ['charles town', false],
      ['west virginia', false],
      ['virginia', true],
      ['virginia', false],
    ],
  )
})

test('a span is known from its second use on, and a title from its first', () => {
  const gazetteer = new Gazetteer()
  assert.equal(gazetteer.count('ada', 'spans', 1), false)
  assert.equal(gazetteer.count('ada', 'spans', 1), true)
  assert.equal(gazetteer.count('ada', 'titles', 1), false)
  assert.equal(gazetteer.count('ada', 'spans', -1), false)
  assert.equal(gazetteer.count('ada', 'titles', -1), true)
  assert.equal(gazetteer.knows('ada'), false)
})

test('a capital at the beginning of a question makes a name only of a title', () => {
  const gazetteer = new Gazetteer()
  for (const key of ['engine', 'did', 'bonn']) for (const _ of [1, 2]) gazetteer.count(key, 'spans', 1)
  assert.deepEqual(readQuestion('Engine of Bonn?', gazetteer).entities, ['bonn'])
  gazetteer.count('engine', 'titles', 1)
  assert.deepEqual(readQuestion('Engine of Bonn?', gazetteer).entities, ['engine', 'bonn'])
})
