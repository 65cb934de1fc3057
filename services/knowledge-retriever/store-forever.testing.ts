// The child of knowledge.kill.test.ts: stores batch after batch and prints the number of the last document that is acknowledged.
import { writeSync } from 'node:fs'
import { Registry } from 'prom-client'
import { systemClock } from '../platform/clock.ts'
import { silentLog } from '../platform/testing.ts'
import { createKnowledgeEvents } from './events.ts'
import { openFromSnapshot } from './keep-snapshot.ts'
import { numberedDocument } from './numbered.testing.ts'
import { openDocumentStore } from './open.ts'
import { SnapshotFile } from './snapshot-file.ts'

const [, , url = '', snapshotPath = '', from = '0'] = process.argv
const events = createKnowledgeEvents(silentLog, new Registry())
const snapshot = new SnapshotFile(snapshotPath)
const knowledge = await openFromSnapshot(
  await openDocumentStore(url, { clock: systemClock }),
  snapshot,
  events,
)
for (let number = Number(from), round = 1; ; round += 1) {
  const batch = Array.from({ length: 1 + (round % 7) }, () => {
    number += 1
    return numberedDocument(number)
  })
  await knowledge.put(batch)
  // Some go and come again, so that deletions and replacements are cut off as well.
  await knowledge.delete([`d${number}`])
  await knowledge.put([numberedDocument(number)])
  writeSync(1, `${number}\n`)
  if (round % 5 === 0) await snapshot.write(knowledge.image())
}
