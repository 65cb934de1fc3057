import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { hostname, tmpdir } from 'node:os'
import path from 'node:path'
import { findCgroupHome } from './cgroup.ts'

/** The part of this machine that hostile programs go for, and a look at whether it is as it was. */
export class Machine {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'nexus-hostile-'))
  readonly secretFile = path.join(this.folder, 'kept', 'secret')
  readonly secret = createHash('sha256').update(this.folder).digest('hex')
  readonly workspace = path.join(this.folder, 'workspace')
  readonly sandboxes = path.join(this.folder, 'sandboxes')
  readonly #victim: ChildProcess
  readonly #tcp = net.createServer((socket) => socket.destroy())
  readonly #udp = dgram.createSocket('udp4')
  #callsReceived = 0

  constructor(nativePrograms: Readonly<Record<string, Uint8Array>>) {
    mkdirSync(path.dirname(this.secretFile))
    writeFileSync(this.secretFile, this.secret)
    mkdirSync(path.join(this.workspace, 'calls'), { recursive: true, mode: 0o755 })
    writeFileSync(path.join(this.workspace, 'kept'), 'as it was')
    for (const [name, bytes] of Object.entries(nativePrograms)) {
      writeFileSync(path.join(this.workspace, 'calls', name), bytes, { mode: 0o755 })
    }
    this.#victim = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' })
    const count = () => {
      this.#callsReceived += 1
    }
    this.#tcp.on('connection', count)
    this.#udp.on('message', count)
  }

  async listen(): Promise<{ victimPid: number; tcpPort: number; udpPort: number }> {
    this.#tcp.listen(0)
    this.#udp.bind(0, '127.0.0.1')
    await Promise.all([once(this.#tcp, 'listening'), once(this.#udp, 'listening')])
    const tcp = this.#tcp.address() as net.AddressInfo
    return { victimPid: this.#victim.pid ?? 0, tcpPort: tcp.port, udpPort: this.#udp.address().port }
  }

  /** Everything that must be the same before and after a hostile program, as text to be compared. */
  look(): Record<string, unknown> {
    const proc = (file: string) => readQuietly(`/proc/${file}`)
    return {
      victim: this.#victim.exitCode ?? this.#victim.signalCode ?? 'alive',
      callsReceived: this.#callsReceived,
      files: filesOf(this.folder).filter((file) => !file.startsWith('sandboxes/')),
      contents: [
        readFileSync(this.secretFile, 'utf8'),
        readFileSync(path.join(this.workspace, 'kept'), 'utf8'),
      ],
      mounts: proc('mounts')
        .split('\n')
        .filter((line) =>
          [path.basename(this.folder), `nexus-run-${process.pid}-`].some((name) => line.includes(name)),
        ),
      settings: ['core_pattern', 'randomize_va_space', 'hostname'].map((name) => proc(`sys/kernel/${name}`)),
      hostname: hostname(),
      groups: controlGroups(),
      runs: readdirSync(this.sandboxes, { recursive: true }).filter((name) =>
        /nexus-run-[^/]*$/.test(String(name)),
      ),
    }
  }

  close(): void {
    this.#victim.kill('SIGKILL')
    this.#tcp.close()
    this.#udp.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Processes of this machine whose environment or command line contains `text`; those of this process are its own. */
export function processesWith(text: string): number[] {
  if (!existsSync('/proc/self')) return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) =>
      ['environ', 'cmdline'].some((file) => readQuietly(`/proc/${pid}/${file}`).includes(text)),
    )
    .map(Number)
}

function controlGroups(): string[] {
  const { home } = findCgroupHome()
  if (!home) return []
  return [home.memory, home.pids].flatMap((folder) =>
    readdirSync(folder).filter((name) => name.startsWith(`nexus-run-${process.pid}-`)),
  )
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true }).map(String).sort()
}

function readQuietly(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}
