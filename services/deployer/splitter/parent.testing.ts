import type { SplitterSettings } from './control.ts'
import { startSplitter } from './splitter.ts'

// For the test that kills a deployer: starts a splitter and says so.
await startSplitter(JSON.parse(process.argv[2] ?? '') as SplitterSettings)
process.send?.('started')
