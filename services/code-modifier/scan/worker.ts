import { parentPort, workerData } from 'node:worker_threads'
import type { ScannedFile } from './finding.ts'
import { scanFiles } from './scan-files.ts'

// The thread of `scanChange`: it gets the files as its data, posts the findings and ends.
parentPort?.postMessage(scanFiles(workerData as readonly ScannedFile[]))
