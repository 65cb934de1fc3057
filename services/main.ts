import { enableCompileCache } from 'node:module'

// What V8 has compiled is kept for the next start, which then takes half the time. Where it cannot be kept, nothing is lost.
enableCompileCache()
const { runCommand } = await import('./commands.ts')
await runCommand(process.argv.slice(2))
