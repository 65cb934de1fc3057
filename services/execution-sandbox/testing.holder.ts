import { type Tier, usualLimits } from './execution.ts'
import { execution, openTestSandbox } from './testing.sandbox.ts'

// A NEXUS to be killed: runs a program that leaves a daemon and then never ends. Its standard output is the program's, so
// that the test knows when the program runs. Arguments: the tier, a folder, a text that all its processes carry.
const [tier = 'host', folder = '', nonce = ''] = process.argv.slice(2)
const sandbox = await openTestSandbox({ folder, tiers: [tier as Tier] })
const program = `
  const daemon = "setInterval(() => {}, 1e6)"
  require('node:child_process').spawn(process.execPath, ['-e', daemon], { detached: true, stdio: 'ignore' }).unref()
  process.on('SIGTERM', () => {})
  console.log('running')
  setInterval(() => {}, 1e6)`
const verdict = await sandbox.run(
  execution({
    command: ['node', '-e', program],
    environment: { NONCE: nonce },
    limits: { ...usualLimits, wallTimeMs: 60_000 },
  }),
  { onOutput: (_, bytes) => void process.stdout.write(bytes) },
)
process.stdout.write(JSON.stringify({ ...verdict, files: [] }))
