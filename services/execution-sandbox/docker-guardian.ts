import Docker from 'dockerode'
import { removeLabelled } from './docker-cleanup.ts'

// Run as a process of its own by runner.docker.ts: waits for the end of its input, which comes when NEXUS has died, and removes
// the containers that NEXUS has left. Arguments: the engine's socket, the label of the containers.
const [socketPath, label] = process.argv.slice(2)
for await (const _ of process.stdin);
if (socketPath && label) await removeLabelled(new Docker({ socketPath }), label)
