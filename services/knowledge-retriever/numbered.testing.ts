import type { OfferedDocument } from './documents.ts'

const places = ['Tallinn', 'New Jersey', 'West Virginia', 'Paris', 'Old Iron Works']

/** The document of a number: the same for the same number, found by its own word, tied to others by a name. */
export function numberedDocument(number: number): OfferedDocument {
  const place = places[number % places.length]
  const more = `It says more of ${place} and of the year ${1700 + (number % 300)}. `.repeat(number % 50)
  return {
    id: `d${number}`,
    title: number % 4 === 0 ? `Note ${number}` : '',
    text: `This is number${number}, which stood in ${place}. ${more}`,
    source: `notes/${number}`,
  }
}
