import type { Execution, Tier, TierCapability, Verdict } from './execution.ts'
import { usualLimits } from './execution.ts'

/** Exit codes of the canary, one per finding. It runs inside, so its word counts only towards "not available". */
const findings: Readonly<Record<number, string>> = {
  50: 'a program inside sees a file of the host',
  51: 'a program inside has capabilities or may gain some',
  52: 'the system call filter does not hold',
  53: 'a program inside cannot write to its scratch folder',
  54: 'a program inside sees network interfaces',
  55: 'a program inside sees the environment of NEXUS',
  56: 'a program inside sees processes of the host',
}
const allWell = 40
const allWellWithoutLoopback = 41

/**
 * A program that looks at the room from inside: arguments are a file of the host that must not show, and whether a
 * system call filter is promised. It is plain JavaScript for `node -e`.
 */
const canaryProgram = String.raw`
const fs = require('node:fs'), net = require('node:net'), os = require('node:os')
const [mark, filter] = process.argv.slice(1)
if (fs.existsSync(mark)) process.exit(50)
const status = fs.readFileSync('/proc/self/status', 'utf8')
if (!/^CapEff:\s+0+$/m.test(status) || !/^CapBnd:\s+0+$/m.test(status) || !/^NoNewPrivs:\s+1$/m.test(status)) process.exit(51)
if (filter === 'filter' && !/^Seccomp:\s+2$/m.test(status)) process.exit(52)
try { fs.writeFileSync(process.env.NEXUS_SCRATCH + '/canary', 'sings') } catch { process.exit(53) }
const interfaces = fs.readFileSync('/proc/net/dev', 'utf8').split('\n').slice(2).filter((line) => line.trim() && !/^\s*(lo|tunl0|sit0|gre0|gretap0|erspan0|ip_vti0|ip6_vti0|ip6tnl0|ip6gre0):/.test(line))
if (interfaces.length > 0) process.exit(54)
const own = ['NEXUS_SCRATCH', 'NEXUS_RUN']
if (Object.keys(process.env).some((name) => name.startsWith('NEXUS_') && !own.includes(name))) process.exit(55)
// The program, the shell before it or Docker’s init, and no more.
if (fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length > 3) process.exit(56)
const server = net.createServer((socket) => socket.end())
server.on('error', () => process.exit(41))
server.listen(0, '127.0.0.1', () => {
  net.connect(server.address().port, '127.0.0.1').on('connect', () => process.exit(40)).on('error', () => process.exit(41))
})
setTimeout(() => process.exit(41), 2000)
`

/** The canary as an execution; `mark` is a file of the host. On the host tier there is nothing to look for. */
export function canary(tier: Tier, mark: string): Execution {
  const program = tier === 'host' ? `process.exit(${allWell})` : canaryProgram
  return {
    command: ['node', '-e', program, mark, tier === 'unshare' ? 'none' : 'filter'],
    environment: {},
    workingDirectory: '/scratch',
    stdin: new Uint8Array(),
    mounts: [],
    outputs: tier === 'host' ? [] : ['canary'],
    limits: { ...usualLimits, wallTimeMs: 20_000, fileBytes: 16 * 1024 ** 2 },
    leastTier: tier,
    trust: 'untrusted',
  }
}

/** Reads the canary's end. `remarks` are added when the tier is available. */
export function capabilityFrom(
  verdict: Verdict,
  options: { memoryOfAll: boolean; remarks: readonly string[]; remedy: string },
): TierCapability {
  const { tier, exitCode } = verdict
  const isWell = verdict.outcome === 'exited' && (exitCode === allWell || exitCode === allWellWithoutLoopback)
  const broughtBack = tier === 'host' || Buffer.from(verdict.files[0]?.content ?? []).toString() === 'sings'
  if (isWell && broughtBack) {
    return {
      tier,
      available: true,
      remark: options.remarks.filter((remark) => remark !== '').join('; '),
      loopback: exitCode === allWell,
      memoryOfAll: options.memoryOfAll,
    }
  }
  return absent(tier, `${describe(verdict, isWell)}. ${options.remedy}`)
}

function describe(verdict: Verdict, isWell: boolean): string {
  if (verdict.refusal) return verdict.refusal
  if (isWell) return 'files could not be brought back from inside'
  if (verdict.outcome !== 'exited') return `the probe ended ${verdict.outcome} ${verdict.signal}`.trim()
  return findings[verdict.exitCode] ?? `the probe ended with exit code ${verdict.exitCode}`
}

/** A tier that this machine does not offer. */
export function absent(tier: Tier, remark: string): TierCapability {
  return { tier, available: false, remark: remark.slice(0, 2000), loopback: false, memoryOfAll: false }
}
