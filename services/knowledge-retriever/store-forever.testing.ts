import { writeSync } from 'node:fs'
import { openDocumentStore } from './graph.sqlite.ts'
import { Knowledge } from './knowledge.ts'

/** For the test that kills it: stores documents one after another and acknowledges each by its number. */
const [, , url = '', from = '0'] = process.argv
const knowledge = new Knowledge(openDocumentStore(url))
for (let number = Number(from) + 1; ; number += 1) {
  knowledge.put([
    { id: `d${number}`, title: '', text: `This is number${number} of Many Documents.`, source: '' },
  ])
  writeSync(1, `${number}\n`)
}
