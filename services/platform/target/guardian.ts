import { spawn } from 'node:child_process'

// Runs the command in its arguments and dies with whoever started it, together with all that the command started: the starter
// made it the leader of a process group and holds its standard input open, so even after `kill -9` of the starter nothing is left.

const [program, ...args] = process.argv.slice(2)
if (program === undefined) throw new Error('guardian: the command is missing')

const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] })
child.once('error', (error) => {
  process.stderr.write(`${program} cannot be started: ${error.message}\n`)
  process.exit(127)
})
child.once('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)))

process.stdin.resume()
process.stdin.once('close', () => process.kill(-process.pid, 'SIGKILL'))
