// The child of journal.kill.test.ts: appends for ever and prints each sequence number once it is acknowledged.
import { writeSync } from 'node:fs'
import { systemClock } from '../clock.ts'
import { openJournal } from './open.ts'

const [url = '', stream = ''] = process.argv.slice(2)
const journal = await openJournal(url, { clock: systemClock })
let sequence = (await journal.read(stream)).length
for (;;) {
  const events = await journal.append(stream, sequence, [
    { type: 'first', data: { after: sequence, text: 'x'.repeat((sequence * 37) % 3_000) } },
    { type: 'second', data: { after: sequence } },
  ])
  sequence += events.length
  writeSync(1, `${sequence}\n`)
}
