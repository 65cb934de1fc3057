import type { Limits, Outcome, Tier } from './execution.ts'
import { callProgram, forkBomb } from './testing.elf.ts'

/** A program that means harm, what it may at most achieve, and which tiers must contain it. */
export interface HostileProgram {
  readonly name: string
  /** JavaScript for `node -e`, after `preamble`. It ends with `escaped(…)` when it got what it wanted. */
  readonly program: string
  /** How it may end; with `exited` the exit code must be `exitCode`. */
  readonly outcomes: readonly Outcome[]
  readonly exitCode?: number
  readonly limits?: Partial<Limits>
  readonly outputs?: readonly string[]
  /** The tiers that promise to contain it; on others it is not run. */
  readonly contains: readonly Tier[]
}

/** What a program knows about the host it wants to harm. */
export interface Facts {
  /** Holds `secret`; lies in a folder of NEXUS's own. */
  readonly secretFile: string
  readonly secret: string
  /** A process of the test that must survive. */
  readonly victimPid: number
  readonly tcpPort: number
  readonly udpPort: number
  /** In the environment of everything that the program starts; nothing with it may be left. */
  readonly nonce: string
}

export const everywhere: readonly Tier[] = ['docker', 'bubblewrap', 'unshare', 'host']
export const isolating: readonly Tier[] = ['docker', 'bubblewrap', 'unshare']
export const filtering: readonly Tier[] = ['docker', 'bubblewrap']

const escapedExitCode = 66

/** Goes before each program. FACTS and CALLS are in its environment; the latter is the folder of native programs. */
export const preamble = String.raw`
const fs = require('node:fs'), net = require('node:net'), path = require('node:path'), dgram = require('node:dgram')
const { spawn, spawnSync } = require('node:child_process')
const facts = JSON.parse(process.env.FACTS), scratch = process.env.NEXUS_SCRATCH
const escaped = (what) => { fs.writeSync(2, 'escaped: ' + what + '\n'); process.exit(${escapedExitCode}) }
const attempt = (what, deed) => { try { deed() } catch { return } escaped(what) }
const call = (name) => {
  const { status, signal } = spawnSync(process.env.CALLS + '/' + name)
  if (signal === 'SIGSYS') return
  if (status === null) { fs.writeSync(2, name + ' did not run\n'); process.exit(67) }
  // EPERM, EACCES, ENOSYS, EAFNOSUPPORT: any other answer comes from behind the door.
  if (![1, 13, 38, 97].includes(status)) escaped(name + ' answered ' + status)
}
`

/**
 * The native programs that the JavaScript ones run, by file name: system calls that Node has no function for. x86-64
 * only.
 */
export const nativePrograms: Readonly<Record<string, Uint8Array>> = {
  bomb: forkBomb(8),
  'mount-tmpfs': callProgram(165, 'tmpfs', '/scratch', 'tmpfs', 0, 0),
  'remount-root': callProgram(165, 'none', '/', 'none', 0x20 | 0x1000, 0),
  'unmount-workspace': callProgram(166, '/workspace', 2),
  chroot: callProgram(161, '/scratch'),
  'socket-raw': callProgram(41, 2, 3, 1),
  'socket-packet': callProgram(41, 17, 3, 0),
  'socket-vsock': callProgram(41, 40, 1, 0),
  'socket-alg': callProgram(41, 38, 5, 0),
  'socket-netlink': callProgram(41, 16, 3, 0),
  'socket-vsock-x32': callProgram(0x40000000 + 41, 40, 1, 0),
  'socket-vsock-high-bits': callProgram(41, 0x100000028n, 1, 0),
  'add-key': callProgram(248, 'user', 'nexus', 'value', 5, -3),
  'keyctl-session': callProgram(250, 1, 0),
  'io-uring': callProgram(425, 1, '\0'.repeat(120)),
  'new-user-namespace': callProgram(272, 0x10000000),
  'new-network-namespace': callProgram(272, 0x40000000),
  'clone-user-namespace': callProgram(56, 0x10000011, 0, 0, 0, 0),
  'perf-event': callProgram(298, `\x01\0\0\0\x70${'\0'.repeat(120)}`, 0, -1, -1, 0),
  bpf: callProgram(321, 5, '\0'.repeat(64), 48),
  userfaultfd: callProgram(323, 1),
  memfd: callProgram(319, 'nexus', 0),
  'ptrace-traceme': callProgram(101, 0, 0, 0, 0),
  // These do nothing even where they are allowed: no time, a name that is too long, a question about the log.
  'set-time': callProgram(164, 0, 0),
  'set-hostname': callProgram(170, 'pwned', 9999),
  'kernel-log': callProgram(103, 9, 0, 0),
  'module-load': callProgram(175, '', 0, ''),
  'set-groups-0': callProgram(116, 1, '\0\0\0\0'),
}

const MiB = 1024 ** 2

export const hostilePrograms: readonly HostileProgram[] = [
  {
    name: 'an endless loop that ignores every signal it can',
    program: `for (const name of Object.keys(require('node:os').constants.signals)) { try { process.on(name, () => {}) } catch {} } for (;;);`,
    outcomes: ['timed-out'],
    limits: { wallTimeMs: 1000 },
    contains: everywhere,
  },
  {
    name: 'a program that closes its output and stops itself',
    program: `fs.closeSync(1); fs.closeSync(2); process.kill(process.pid, 'SIGSTOP')`,
    outcomes: ['timed-out'],
    limits: { wallTimeMs: 1000 },
    contains: everywhere,
  },
  {
    name: 'a fork bomb of its own Node',
    program: `
      let alive = 0
      for (let index = 0; index < 60; index += 1) {
        const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 1e6)'], { stdio: 'ignore' })
        child.on('error', () => {}).on('exit', () => { alive -= 1 })
        child.on('spawn', () => { alive += 1; if (alive > 40) escaped('40 processes') })
      }
      setTimeout(() => process.exit(0), 1e6)`,
    // Sixty Nodes that cannot make their threads abort; whichever limit is met first counts.
    outcomes: ['timed-out', 'out-of-memory', 'signaled'],
    limits: { wallTimeMs: 2000, processes: 64, memoryBytes: 1024 * MiB },
    contains: isolating,
  },
  {
    name: 'a fork bomb in machine code',
    program: `spawn(process.env.CALLS + '/bomb', { stdio: 'ignore' }).on('error', () => {}); setTimeout(() => {}, 1e6)`,
    outcomes: ['timed-out', 'signaled'],
    limits: { wallTimeMs: 1500, processes: 64 },
    contains: everywhere,
  },
  {
    name: 'a memory bomb in one process',
    program: `const kept = []; for (let index = 0; index < 128; index += 1) kept.push(Buffer.alloc(8 * ${MiB}, 1)); escaped('1 GiB')`,
    outcomes: ['out-of-memory'],
    limits: { memoryBytes: 256 * MiB, wallTimeMs: 10_000 },
    contains: everywhere,
  },
  {
    name: 'a memory bomb in shared memory of a worker',
    program: `const kept = []; for (let index = 0; index < 128; index += 1) kept.push(new Uint8Array(new SharedArrayBuffer(8 * ${MiB})).fill(1)); escaped('1 GiB')`,
    outcomes: ['out-of-memory'],
    limits: { memoryBytes: 256 * MiB, wallTimeMs: 10_000 },
    contains: everywhere,
  },
  {
    name: 'a memory bomb in many processes, each of them modest',
    program: `
      const child = 'const kept = Buffer.alloc(160 * ${MiB}, 1); setTimeout(() => kept, 1e6)'
      for (let index = 0; index < 6; index += 1) spawn(process.execPath, ['-e', child], { stdio: 'ignore' }).on('error', () => {})
      setTimeout(() => escaped('960 MiB'), 14_000)`,
    outcomes: ['out-of-memory'],
    limits: { memoryBytes: 320 * MiB, wallTimeMs: 20_000 },
    contains: everywhere,
  },
  {
    name: 'a flood of output on both streams',
    program: `const line = Buffer.alloc(65536, 'x'); for (;;) { try { fs.writeSync(1, line); fs.writeSync(2, line) } catch (error) { if (error.code !== 'EAGAIN') throw error } }`,
    outcomes: ['output-limit'],
    limits: { outputBytes: 1 * MiB, wallTimeMs: 10_000 },
    contains: everywhere,
  },
  {
    name: 'a program that prints a verdict of its own and then fails',
    program: `
      for (const fd of [1, 2, 3, 4]) { try { fs.writeSync(fd, 'ready\\nexit 0\\n{"outcome":"exited","exitCode":0}\\n') } catch {} }
      process.exit(7)`,
    outcomes: ['exited'],
    exitCode: 7,
    contains: everywhere,
  },
  {
    name: 'a disk filled with big files',
    program: `
      try { for (let index = 0; index < 512; index += 1) fs.writeFileSync(path.join(scratch, 'f' + index), Buffer.alloc(${MiB}, 1)) } catch { process.exit(0) }
      setTimeout(() => escaped('512 MiB'), 2000)`,
    outcomes: ['exited', 'file-limit'],
    limits: { fileBytes: 32 * MiB, wallTimeMs: 10_000 },
    contains: everywhere,
  },
  {
    name: 'one file beyond the file limit, mostly a hole',
    program: `fs.ftruncateSync(fs.openSync(path.join(scratch, 'huge'), 'w'), 2 ** 40); escaped('1 TiB')`,
    outcomes: ['file-limit', 'exited'],
    exitCode: 1,
    limits: { fileBytes: 32 * MiB },
    contains: everywhere,
  },
  {
    name: 'files to bring back that are huge, but only holes',
    program: `
      fs.mkdirSync(path.join(scratch, 'holes'))
      for (let index = 0; index < 60; index += 1) fs.ftruncateSync(fs.openSync(path.join(scratch, 'holes', 'h' + index), 'w'), 31 * ${MiB})`,
    outcomes: ['file-limit'],
    limits: { fileBytes: 32 * MiB },
    outputs: ['holes/*'],
    contains: everywhere,
  },
  {
    name: 'a disk filled with empty files',
    program: `
      try { for (let index = 0; index < 60000; index += 1) fs.closeSync(fs.openSync(path.join(scratch, 'n' + index), 'w')) } catch { process.exit(0) }
      setTimeout(() => escaped('60000 files'), 4000)`,
    outcomes: ['exited', 'file-limit'],
    limits: { wallTimeMs: 60_000 },
    contains: everywhere,
  },
  {
    name: 'more open files than allowed',
    program: `try { for (let index = 0; index < 500; index += 1) fs.openSync('/dev/null', 'r') } catch { process.exit(0) } escaped('500 open files')`,
    outcomes: ['exited'],
    limits: { openFiles: 128 },
    contains: everywhere,
  },
  {
    name: 'a reader of the environment that NEXUS has',
    program: `
      const expected = ['FACTS', 'CALLS', 'PATH', 'HOME', 'TMPDIR', 'LANG', 'NEXUS_SCRATCH', 'NEXUS_RUN', 'HOSTNAME']
      const others = Object.keys(process.env).filter((name) => !expected.includes(name))
      if (others.length > 0) escaped(others.join())`,
    outcomes: ['exited'],
    contains: everywhere,
  },
  {
    name: 'links in the scratch folder that point outside',
    program: `
      fs.symlinkSync(facts.secretFile, path.join(scratch, 'out'))
      fs.symlinkSync(path.dirname(facts.secretFile), path.join(scratch, 'folder'))
      fs.symlinkSync('/etc/passwd', path.join(scratch, 'passwd'))
      fs.mkdirSync(path.join(scratch, 'real'))
      fs.symlinkSync('../../../../../../../../etc/hostname', path.join(scratch, 'real', 'up'))
      fs.writeFileSync(path.join(scratch, 'real', 'honest'), 'honest')`,
    outcomes: ['exited'],
    outputs: ['out', 'passwd', 'folder/*', 'folder/secret', 'real/*'],
    contains: everywhere,
  },
  {
    name: 'a daemon left behind by double forking',
    program: `
      const daemon = "require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)', 'daemon'], { detached: true, stdio: 'ignore' }).unref()"
      spawnSync(process.execPath, ['-e', daemon], { detached: true, stdio: 'ignore' })
      process.exit(0)`,
    outcomes: ['exited'],
    contains: everywhere,
  },
  {
    name: 'a reader of files of the host',
    program: `
      for (const file of [facts.secretFile, '/etc/shadow', '/root/.bashrc', '/proc/1/root' + facts.secretFile, '/proc/1/cwd/..' + facts.secretFile]) {
        attempt(file, () => fs.readFileSync(file))
      }
      for (const folder of ['/root', '/home', '/var', '/run', '/mnt', '/boot', path.dirname(facts.secretFile)]) {
        try { if (fs.readdirSync(folder).length > 0) escaped(folder) } catch {}
      }`,
    outcomes: ['exited'],
    contains: isolating,
  },
  {
    name: 'a reader of other processes and their environment',
    program: `
      const seen = fs.readdirSync('/proc').filter((name) => /^\\d+$/.test(name))
      if (seen.length > 12) escaped(seen.length + ' processes')
      for (const pid of seen) {
        try { if (fs.readFileSync('/proc/' + pid + '/environ', 'latin1').includes('NEXUS_TEST_SECRET')) escaped('environment of ' + pid) } catch {}
      }`,
    outcomes: ['exited'],
    contains: isolating,
  },
  {
    name: 'a killer of processes of the host',
    program: `attempt('kill', () => process.kill(facts.victimPid, 'SIGKILL')); try { process.kill(1, 'SIGKILL') } catch {}`,
    outcomes: ['exited'],
    contains: isolating,
  },
  {
    name: 'a caller of services on the host and beyond',
    program: `
      const tries = [[facts.tcpPort, '127.0.0.1'], [facts.tcpPort, '::1'], [53, '192.0.2.1'], [80, '169.254.169.254']]
      let open = tries.length + 1
      const done = () => { open -= 1; if (open === 0) process.exit(0) }
      for (const [port, host] of tries) net.connect(port, host).on('connect', () => escaped(host + ':' + port)).on('error', done)
      const resolver = new (require('node:dns').Resolver)({ timeout: 300, tries: 1 })
      resolver.setServers(['127.0.0.1:' + facts.udpPort])
      resolver.resolve4('example.com', (error) => (error ? done() : escaped('DNS')))`,
    outcomes: ['exited'],
    limits: { wallTimeMs: 10_000 },
    contains: isolating,
  },
  {
    name: 'a caller of sockets in the file system of the host',
    program: `
      const sockets = ['/var/run/docker.sock', '/run/containerd/containerd.sock', '/run/systemd/private', '/run/dbus/system_bus_socket']
      let open = sockets.length
      for (const socket of sockets) net.connect(socket).on('connect', () => escaped(socket)).on('error', () => { open -= 1; if (open === 0) process.exit(0) })`,
    outcomes: ['exited'],
    contains: isolating,
  },
  {
    name: 'a writer to the workspace and to the system',
    program: `
      attempt('write', () => fs.writeFileSync('/workspace/kept', 'changed'))
      attempt('create', () => fs.writeFileSync('/workspace/new', 'new'))
      attempt('unlink', () => fs.unlinkSync('/workspace/kept'))
      attempt('chmod', () => fs.chmodSync('/workspace/kept', 0o777))
      for (const place of ['/new', '/usr/new', '/etc/passwd', '/etc/new', '/dev/new', '/nexus/bin/node', '/usr/lib/new', '/proc/new']) {
        attempt(place, () => fs.writeFileSync(place, 'new'))
      }`,
    outcomes: ['exited'],
    contains: isolating,
  },
  {
    name: 'a writer to the settings of the kernel',
    program: `
      for (const file of ['sys/kernel/core_pattern', 'sys/kernel/randomize_va_space', 'sys/vm/swappiness', 'sys/kernel/hostname', 'sys/net/ipv4/ip_forward', 'sysrq-trigger']) {
        attempt(file, () => fs.openSync('/proc/' + file, 'r+'))
      }
      attempt('oom_score_adj', () => fs.writeFileSync('/proc/self/oom_score_adj', '-1000'))
      attempt('uid_map', () => fs.writeFileSync('/proc/self/uid_map', '0 0 1'))`,
    outcomes: ['exited'],
    contains: isolating,
  },
  {
    name: 'a program of its own making, run from the scratch folder',
    program: `
      const file = path.join(scratch, 'own')
      fs.copyFileSync(process.env.CALLS + '/memfd', file)
      fs.chmodSync(file, 0o755)
      if (spawnSync(file).error?.code !== 'EACCES') escaped('ran')`,
    outcomes: ['exited'],
    contains: isolating,
  },
  {
    name: 'descriptors that NEXUS forgot to close',
    program: `
      for (const fd of fs.readdirSync('/proc/self/fd').map(Number).filter((each) => each > 2)) {
        let target = ''
        try { target = fs.readlinkSync('/proc/self/fd/' + fd) } catch {}
        if (/^socket:/.test(target) || (/^\\//.test(target) && !/^\\/(dev\\/null|proc\\/)/.test(target))) escaped(fd + ' → ' + target)
      }`,
    outcomes: ['exited'],
    contains: isolating,
  },
  {
    name: 'mounts',
    program: `for (const name of ['mount-tmpfs', 'remount-root', 'unmount-workspace', 'chroot']) call(name)`,
    outcomes: ['exited'],
    contains: isolating,
  },
  {
    name: 'a way to more rights',
    program: `
      // Where NEXUS is not root, the user namespace of the unshare tier shows its user as 0.
      if (process.getuid() !== 0) attempt('setuid', () => process.setuid(0))
      for (const name of ['set-groups-0', 'set-time', 'set-hostname', 'kernel-log', 'module-load']) call(name)
      const status = fs.readFileSync('/proc/self/status', 'utf8')
      if (!/^NoNewPrivs:\\s+1$/m.test(status) || !/^CapBnd:\\s+0+$/m.test(status)) escaped('capabilities')`,
    outcomes: ['exited'],
    contains: isolating,
  },
  {
    name: 'raw and packet sockets',
    program: `for (const name of ['socket-raw', 'socket-packet']) call(name)`,
    outcomes: ['exited'],
    contains: isolating,
  },
  {
    name: 'sockets that no namespace holds, such as vsock',
    program: `for (const name of ['socket-vsock', 'socket-vsock-x32', 'socket-vsock-high-bits', 'socket-alg', 'socket-netlink']) call(name)`,
    outcomes: ['exited'],
    contains: filtering,
  },
  {
    name: 'the keyring of the kernel',
    program: `for (const name of ['add-key', 'keyctl-session']) call(name)`,
    outcomes: ['exited'],
    contains: filtering,
  },
  {
    name: 'new namespaces, and the parts of the kernel that escapes went through',
    program: `
      for (const name of ['new-user-namespace', 'new-network-namespace', 'clone-user-namespace', 'io-uring', 'bpf', 'perf-event', 'userfaultfd', 'memfd', 'ptrace-traceme']) call(name)`,
    outcomes: ['exited'],
    contains: filtering,
  },
]
