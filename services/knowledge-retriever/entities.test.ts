import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tokenize } from '../platform/text.ts'
import { capitalisedNames, inducedAliases, inducedTitle, titleNames } from './entities.ts'
import { Gazetteer } from './gazetteer.ts'
import { readQuestion } from './question.ts'
import { codeOf, Vocabulary } from './vocabulary.ts'

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

test('a title means all of its words, but for an article at its beginning', () => {
  const keys = (title: string) => titleNames(title).map(({ key }) => key)
  assert.deepEqual(keys('We Are the World'), ['we are the world'])
  assert.deepEqual(keys('Who Is This That I Love?'), ['who is this that i love'])
  assert.deepEqual(keys('A Man Escaped'), ['man escaped'])
})

test('a title with initials or a rank is also said without the one, and with the other in front', () => {
  assert.deepEqual(titleNames('John H. Taylor').slice(1), [{ key: 'john taylor', weight: 0.7 }])
  assert.deepEqual(
    titleNames('John, King of England').map(({ key }) => key),
    ['john king of england', 'john', 'king john of england', 'john of england'],
  )
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

test('a text without a title is about what its first sentence speaks of', () => {
  assert.equal(inducedTitle('"Get Low" is a 2014 single.'), 'Get Low')
  assert.equal(inducedTitle('Escape from Alcatraz is a 1979 film.'), 'Escape from Alcatraz')
  assert.equal(
    inducedTitle('John Ernest, Duke of Saxony (1566 – 1638) ruled.'),
    'John Ernest, Duke of Saxony',
  )
  assert.equal(inducedTitle('He was a friend of Ada Lovelace.'), 'Ada Lovelace')
  assert.equal(inducedTitle('Odesa or Odessa is a city.'), 'Odesa')
  assert.equal(inducedTitle('In Russian politics, Kompromat, literally a thing, is said.'), 'Kompromat')
  assert.equal(inducedTitle('Brass buttons may refer to a plant.'), 'Brass buttons')
})

test('other names are what a text says its subject is known as, its acronym, and shorter forms of a name', () => {
  const aliases = (title: string, text: string) => inducedAliases(title, text).map(({ key }) => key)
  assert.deepEqual(
    aliases('', 'William Reeves Eason (1886 – 1956), known as B. Reeves Eason, was a director.'),
    ['b reeves eason'],
  )
  assert.deepEqual(aliases('Dillon Francis', 'Dillon Hart Francis (born 1987) is a musician.'), [
    'dillon hart francis',
    'dillon francis',
    'hart francis',
  ])
  assert.deepEqual(aliases('World Trade Board', 'The World Trade Board (WTB) is a body.'), [
    'world trade board',
    'wtb',
  ])
  assert.deepEqual(aliases('', ''), [])
})

/** A gazetteer that knows some titles, and how to read a text by its vocabulary. */
function gazetteerOf(titles: readonly string[]) {
  const vocabulary = new Vocabulary()
  const gazetteer = new Gazetteer(vocabulary)
  const count = (key: string, kind: 'titles' | 'spans', change: 1 | -1) => {
    for (const word of key.split(' ')) vocabulary.take(word)
    return gazetteer.count(key, kind, change)
  }
  for (const key of titles) count(key, 'titles', 1)
  const read = (text: string) => {
    let sentence = -1
    return Int32Array.from(tokenize(text), (token) => {
      const marks = (token.capital ? 1 : 0) | (token.sentence === sentence ? 0 : 2)
      sentence = token.sentence
      return codeOf(vocabulary.take(token.word), marks)
    })
  }
  return { gazetteer, count, read }
}

test('the longest known name counts, and one inside it counts less', () => {
  const { gazetteer, read } = gazetteerOf(['west virginia', 'virginia', 'charles town'])
  const matches = gazetteer.matches(
    read('In Charles Town, West Virginia, and in Virginia. West. Virginia left.'),
  )
  assert.deepEqual(
    matches.map(({ key, isInside, sentence }) => [key, isInside, sentence]),
    [
      ['charles town', false, 0],
      ['west virginia', false, 0],
      ['virginia', true, 0],
      ['virginia', false, 0],
      ['virginia', false, 2],
    ],
  )
})

test('initials in the middle of a name may be left out, and belong to no other name', () => {
  const { gazetteer, read } = gazetteerOf(['mills godwin', 'john f kennedy', 'vitamin'])
  const found = (text: string) => gazetteer.matches(read(text)).map(({ key, from, to }) => [key, from, to])
  assert.deepEqual(found('Mills E. Godwin Jr.'), [['mills godwin', 0, 3]])
  assert.deepEqual(found('John F. Kennedy'), [['john f kennedy', 0, 3]])
  assert.deepEqual(found('Vitamin C'), [['vitamin', 0, 1]])
  assert.deepEqual(found('Mills e godwin, Mills 2 Godwin'), [])
})

test('a name that is no longer known is no longer found, the longer and shorter ones still are', () => {
  const { gazetteer, count, read } = gazetteerOf(['new york', 'new york city', 'new'])
  const text = read('New York City')
  count('new york city', 'titles', -1)
  assert.deepEqual(
    gazetteer.matches(text).map(({ key }) => key),
    ['new york'],
  )
  count('new york', 'titles', -1)
  assert.deepEqual(
    gazetteer.matches(text).map(({ key }) => key),
    ['new'],
  )
  count('new', 'titles', -1)
  assert.deepEqual(gazetteer.matches(text), [])
})

test('a span is known from its second use on, and a title from its first', () => {
  const { gazetteer, count } = gazetteerOf([])
  assert.equal(count('ada', 'spans', 1), false)
  assert.equal(count('ada', 'spans', 1), true)
  assert.equal(count('ada', 'titles', 1), false)
  assert.equal(count('ada', 'spans', -1), false)
  assert.equal(count('ada', 'titles', -1), true)
  assert.equal(gazetteer.knows('ada'), false)
})

test('a capital at the beginning of a question makes a name only of a title', () => {
  const { gazetteer, count } = gazetteerOf([])
  for (const key of ['engine', 'did', 'bonn']) for (const _ of [1, 2]) count(key, 'spans', 1)
  assert.deepEqual(readQuestion('Engine of Bonn?', gazetteer).entities, ['bonn'])
  count('engine', 'titles', 1)
  assert.deepEqual(readQuestion('Engine of Bonn?', gazetteer).entities, ['engine', 'bonn'])
})

test('a question that says a name with its initials means the name without them', () => {
  const { gazetteer } = gazetteerOf(['john taylor'])
  assert.deepEqual(readQuestion('Where was John H. Taylor born?', gazetteer).entities, ['john taylor'])
})
