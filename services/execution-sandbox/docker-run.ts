import { type Duplex, type Readable, Writable } from 'node:stream'
import type Docker from 'dockerode'
import type { Execution, Outcome, OutputStream, RunOptions, Verdict } from './execution.ts'
import { endOf } from './exit-status.ts'
import type { Surroundings } from './launch.ts'
import { collectOutputs } from './outputs.ts'
import { environmentOf } from './room.ts'
import { seccompJson } from './seccomp.ts'

/** What all containers of one sandbox share. */
export interface DockerPlace {
  readonly docker: Docker
  readonly image: string
  /** `<host>:<process id>:<folder>`, by which leftovers of a killed process are known. */
  readonly owner: string
  /** Without any network device a container starts 150 ms sooner, but on some engines also without 127.0.0.1. */
  readonly network: 'none' | 'disabled'
  readonly around: Surroundings
}

/** Label of every container and volume that the sandbox makes. */
export const ownerLabel = 'nexus.sandbox.owner'
const maxScratchFiles = 20_000
const maxTarOverheadBytes = 64 * 1024 ** 2
/** How long output may still arrive after a container has ended. */
const maxLateOutputMs = 1000
const insidePath = '/nexus/bin'

/**
 * Runs a program in a container of its own: create, attach, start, wait, inspect, remove. Errors: those of the
 * engine.
 */
export async function runContainer(
  place: DockerPlace,
  execution: Execution,
  slot: number,
  options: RunOptions,
): Promise<Verdict> {
  const run = `nexus-run-${process.pid}-${slot}-${Math.round(place.around.clock.monotonicMs() * 1000)}`
  const uid = place.around.firstUid + slot
  const volume = execution.outputs.length > 0 ? run : undefined
  const made: { remove(options: object): Promise<unknown> }[] = []
  try {
    let holder: Docker.Container | undefined
    if (volume) {
      made.unshift(await makeScratchVolume(place, execution, volume, uid))
      holder = await place.docker.createContainer(holderConfig(place, volume, uid))
      made.unshift(holder)
      await holder.start()
    }
    const container = await place.docker.createContainer(containerConfig(place, execution, run, uid, volume))
    made.unshift(container)
    const verdict = await new ContainerRun(place, execution, container, options).toEnd()
    if (!holder || verdict.outcome !== 'exited') return verdict
    const archive = (await holder.getArchive({ path: '/scratch' })) as Readable
    const maxBytes = execution.limits.fileBytes + maxTarOverheadBytes
    const inArchive = execution.outputs.map((output) => `scratch/${output}`)
    const { files, complete } = await collectOutputs(archive, inArchive, maxBytes)
    if (!complete) return { ...verdict, outcome: 'file-limit', exitCode: 0 }
    return { ...verdict, files: files.map((file) => ({ ...file, path: file.path.slice('scratch/'.length) })) }
  } finally {
    for (const each of made) await each.remove({ force: true, v: true }).catch(() => undefined)
  }
}

/** One container from start to end. It is stopped at most once, and the first reason counts. */
class ContainerRun {
  readonly #place: DockerPlace
  readonly #execution: Execution
  readonly #container: Docker.Container
  readonly #options: RunOptions
  #stopped: Outcome | undefined
  #outputBytes = 0

  constructor(place: DockerPlace, execution: Execution, container: Docker.Container, options: RunOptions) {
    this.#place = place
    this.#execution = execution
    this.#container = container
    this.#options = options
  }

  async toEnd(): Promise<Verdict> {
    const { clock } = this.#place.around
    const stream = await this.#attach()
    const drained = new Promise<void>((resolve) => {
      stream.once('end', resolve)
      stream.once('close', resolve)
    })
    const over = new AbortController()
    const ended = this.#container.wait({ condition: 'next-exit' })
    const startedMs = clock.monotonicMs()
    const notFound = await this.#start()
    const onAbort = () => this.#stop('canceled')
    if (this.#options.signal?.aborted) onAbort()
    this.#options.signal?.addEventListener('abort', onAbort, { once: true })
    const timer = clock.sleep(this.#execution.limits.wallTimeMs, over.signal)
    timer.then(
      () => this.#stop('timed-out'),
      () => undefined,
    )
    if (!notFound) {
      stream.end(this.#execution.stdin)
      await ended
      const late = clock.sleep(maxLateOutputMs, over.signal).catch(() => undefined)
      await Promise.race([drained, late])
    } else ended.catch(() => undefined)
    over.abort()
    this.#options.signal?.removeEventListener('abort', onAbort)
    stream.destroy()
    const durationMs = Math.round(clock.monotonicMs() - startedMs)
    return this.#verdict(notFound, durationMs)
  }

  async #attach(): Promise<Duplex> {
    const stream = (await this.#container.attach({
      stream: true,
      stdin: true,
      stdout: true,
      stderr: true,
      hijack: true,
    })) as Duplex
    stream.on('error', () => stream.destroy())
    this.#container.modem.demuxStream(stream, this.#sink('stdout'), this.#sink('stderr'))
    return stream
  }

  /** Starts the program; true when the image does not have it. */
  async #start(): Promise<boolean> {
    try {
      await this.#container.start()
      return false
    } catch (error) {
      if (/executable file not found|no such file or directory/.test((error as Error).message)) return true
      throw error
    }
  }

  async #verdict(notFound: boolean, durationMs: number): Promise<Verdict> {
    const { State: state } = await this.#container.inspect()
    const end = notFound ? { outcome: 'exited' as const, exitCode: 127 } : this.#end(state)
    return {
      exitCode: 0,
      signal: '',
      ...end,
      durationMs,
      maxMemoryBytes: 0,
      tier: 'docker',
      files: [],
      refusal: '',
    }
  }

  #end(state: { OOMKilled: boolean; ExitCode: number }) {
    if (this.#stopped) return { outcome: this.#stopped }
    if (state.OOMKilled) return { outcome: 'out-of-memory' as const }
    return endOf(state.ExitCode)
  }

  #sink(name: OutputStream): Writable {
    const { outputBytes } = this.#execution.limits
    return new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        const left = outputBytes - this.#outputBytes
        this.#outputBytes += chunk.length
        if (left > 0) this.#options.onOutput?.(name, chunk.subarray(0, left))
        if (this.#outputBytes > outputBytes) this.#stop('output-limit')
        done()
      },
    })
  }

  #stop(why: Outcome): void {
    if (this.#stopped) return
    this.#stopped = why
    this.#container.kill({ signal: 'SIGKILL' }).catch(() => undefined)
  }
}

async function makeScratchVolume(
  place: DockerPlace,
  execution: Execution,
  name: string,
  uid: number,
): Promise<Docker.Volume> {
  await place.docker.createVolume({
    Name: name,
    Driver: 'local',
    DriverOpts: {
      type: 'tmpfs',
      device: 'tmpfs',
      o: `size=${execution.limits.fileBytes},nr_inodes=${maxScratchFiles},mode=0755,uid=${uid},gid=${uid},noexec,nosuid,nodev`,
    },
    Labels: { [ownerLabel]: place.owner },
  })
  return place.docker.getVolume(name)
}

/** Otherwise the engine gives the folder the owner that it has in the image. */
const asItIs = { NoCopy: true, Labels: {}, DriverConfig: { Name: '', Options: {} } }

/** A container that does nothing but keep the scratch volume in memory until its files have been fetched. */
function holderConfig(place: DockerPlace, volume: string, uid: number): Docker.ContainerCreateOptions {
  return {
    Image: place.image,
    Cmd: [`${insidePath}/node`, '-e', 'setInterval(() => {}, 1 << 30)'],
    User: `${uid}:${uid}`,
    NetworkDisabled: true,
    Labels: { [ownerLabel]: place.owner },
    HostConfig: {
      ...hardened(),
      Memory: 256 * 1024 ** 2,
      MemorySwap: 256 * 1024 ** 2,
      PidsLimit: 32,
      Mounts: [{ Type: 'volume', Source: volume, Target: '/scratch', ReadOnly: true, VolumeOptions: asItIs }],
    },
  }
}

function containerConfig(
  place: DockerPlace,
  execution: Execution,
  run: string,
  uid: number,
  volume: string | undefined,
): Docker.ContainerCreateOptions {
  const { limits } = execution
  const tmpfs = `rw,noexec,nosuid,nodev,size=${limits.fileBytes},nr_inodes=${maxScratchFiles},mode=0755,uid=${uid},gid=${uid}`
  const scratch: Docker.MountConfig = volume
    ? [{ Type: 'volume', Source: volume, Target: '/scratch', VolumeOptions: asItIs }]
    : []
  return {
    Image: place.image,
    Cmd: [...execution.command],
    Env: environmentOf({ run, execution }, '/scratch', insidePath),
    WorkingDir: execution.workingDirectory,
    User: `${uid}:${uid}`,
    Hostname: 'sandbox',
    NetworkDisabled: place.network === 'disabled',
    ...{
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      OpenStdin: true,
      StdinOnce: true,
      Tty: false,
    },
    Labels: { [ownerLabel]: place.owner },
    HostConfig: {
      ...hardened(),
      ...(volume ? {} : { Tmpfs: { '/scratch': tmpfs } }),
      Memory: limits.memoryBytes,
      MemorySwap: limits.memoryBytes,
      PidsLimit: limits.processes + ownProcesses,
      Mounts: [...scratch, ...readOnlyMounts(execution)],
      Ulimits: [
        { Name: 'nofile', Soft: limits.openFiles, Hard: limits.openFiles },
        { Name: 'fsize', Soft: limits.fileBytes, Hard: limits.fileBytes },
        { Name: 'core', Soft: 0, Hard: 0 },
      ],
    },
  }
}

/** The init process that reaps what programs leave. */
const ownProcesses = 1

function readOnlyMounts(execution: Execution): Docker.MountConfig {
  return execution.mounts.map((mount) => ({
    Type: 'bind' as const,
    Source: mount.hostPath,
    Target: mount.path,
    ReadOnly: true,
    BindOptions: { Propagation: 'private' as const },
  }))
}

/** Known to the engine since API 1.41, but not to the types of dockerode. */
const privateControlGroups = { CgroupnsMode: 'private' }

function hardened(): Docker.HostConfig {
  return {
    NetworkMode: 'none',
    ReadonlyRootfs: true,
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges', `seccomp=${seccompJson()}`],
    IpcMode: 'none',
    ...privateControlGroups,
    LogConfig: { Type: 'none', Config: {} },
    Init: true,
    OomScoreAdj: 1000,
  }
}
