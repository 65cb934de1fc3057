import { writeSync } from 'node:fs'
import { systemClock } from '../platform/clock.ts'
import { Knowledge } from './knowledge.ts'
import { openDocumentStore } from './open.ts'

/** For the test that kills it: stores documents one after another and acknowledges each by its number. */
const [, , url = '', from = '0'] = process.argv
const knowledge = await Knowledge.open(await openDocumentStore(url, { clock: systemClock }))
for (let number = Number(from) + 1; ; number += 1) {
  await knowledge.put([
    { id: `d${number}`, title: '', text: `This is number${number} of Many Documents.`, source: '' },
  ])
  writeSync(1, `${number}\n`)
}
