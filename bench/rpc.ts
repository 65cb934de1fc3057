import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { createClient } from '@connectrpc/connect'
import { createGrpcTransport as createConnectTransport } from '@connectrpc/connect-node'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import {
  type EchoRequest,
  EchoRequestSchema,
  type EchoResponse,
  EchoResponseSchema,
  EchoService,
  Urgency,
} from '../services/gen/nexus/echo/v1/echo_service_pb.ts'
import { createGrpcTransport } from '../services/platform/grpc/channel.ts'
import type { Bench } from './main.ts'
import { measure, median, type Round } from './rpc/load.ts'

const callers = 50
const timeoutMs = 5000
const rounds = 9
const roundMs = 700
const warmUpMs = 1500

const request: MessageInitShape<typeof EchoRequestSchema> = {
  text: 'The quick brown fox jumps over the lazy dog. '.repeat(3),
  urgency: Urgency.HIGH,
  labels: ['storefront', 'latency', 'p95'],
  weight: 0.5,
}

/** A client of some kind against a server of some kind. */
interface Row {
  readonly title: string
  readonly server: 'bare' | 'chassis' | 'traced' | 'connect'
  readonly client: (port: number) => { call: () => Promise<unknown>; close: () => void }
}

const rows = [
  { title: 'grpc-js client, bare grpc-js server', server: 'bare', client: bareClient },
  { title: 'grpc-js client, chassis', server: 'chassis', client: bareClient },
  { title: 'grpc-js client, chassis with tracing', server: 'traced', client: bareClient },
  { title: 'chassis client, chassis', server: 'chassis', client: chassisClient },
  { title: "grpc-js client, Connect's own server", server: 'connect', client: bareClient },
  { title: "Connect's own client and server", server: 'connect', client: connectClient },
] as const satisfies readonly Row[]

/**
 * Unary calls through the whole chassis against bare grpc-js with the same messages. The rows take turns in short
 * rounds, and each figure is the median over rounds of the ratio within one round, so that what disturbs the machine
 * disturbs all rows alike.
 */
export const run: Bench = async (print) => {
  const servers = await startServers()
  try {
    const lanes = rows.map((row) => ({
      row,
      rounds: [] as ServerRound[],
      ...row.client(servers.port(row.server)),
    }))
    for (const lane of lanes) await measure(lane.call, callers, warmUpMs)
    for (let round = 0; round < rounds; round += 1) {
      for (const lane of inTurn(lanes, round)) lane.rounds.push(await measureOn(servers, lane))
    }
    for (const lane of lanes) lane.close()
    return report(print, lanes)
  } finally {
    await servers.close()
  }
}

/** One round, with the processor time that the server has spent on each of its calls. */
async function measureOn(
  servers: Servers,
  lane: { row: Row; call: () => Promise<unknown> },
): Promise<ServerRound> {
  const before = await servers.cpuMicroseconds(lane.row.server)
  const round = await measure(lane.call, callers, roundMs)
  const after = await servers.cpuMicroseconds(lane.row.server)
  return { ...round, serverCpuMicroseconds: (after - before) / round.calls }
}

interface ServerRound extends Round {
  readonly serverCpuMicroseconds: number
}

type Servers = Awaited<ReturnType<typeof startServers>>

function report(print: (line: string) => void, lanes: readonly { row: Row; rounds: ServerRound[] }[]) {
  const [base] = lanes
  if (base === undefined) throw new Error('there are no rows')
  print(
    `${callers} callers, unary, ${rounds} rounds of ${roundMs} ms each; ratios to the first row, median over rounds`,
  )
  print(`${'calls'.padEnd(40)} calls/s  p50 ms  p99 ms  server µs  throughput   p99   cpu`)
  const ratios = lanes.map((lane) => {
    const throughput = ratio(lane.rounds, base.rounds, 'callsPerSecond')
    const p99 = ratio(lane.rounds, base.rounds, 'latencyMsP99')
    const cpu = ratio(lane.rounds, base.rounds, 'serverCpuMicroseconds')
    const middle = (figure: keyof ServerRound) => median(lane.rounds.map((round) => round[figure]))
    print(
      lane.row.title.padEnd(40) +
        middle('callsPerSecond').toFixed(0).padStart(8) +
        middle('latencyMsP50').toFixed(2).padStart(8) +
        middle('latencyMsP99').toFixed(2).padStart(8) +
        middle('serverCpuMicroseconds').toFixed(0).padStart(11) +
        throughput.toFixed(2).padStart(12) +
        p99.toFixed(2).padStart(6) +
        cpu.toFixed(2).padStart(6),
    )
    return { throughput: rounded(throughput), p99: rounded(p99), cpu: rounded(cpu) }
  })
  const [, chassis, traced, both, connect, connectBoth] = ratios
  return {
    throughput_ratio: chassis?.throughput ?? Number.NaN,
    p99_ratio: chassis?.p99 ?? Number.NaN,
    server_cpu_ratio: chassis?.cpu ?? Number.NaN,
    traced_throughput_ratio: traced?.throughput ?? Number.NaN,
    traced_p99_ratio: traced?.p99 ?? Number.NaN,
    both_sides_throughput_ratio: both?.throughput ?? Number.NaN,
    both_sides_p99_ratio: both?.p99 ?? Number.NaN,
    connect_throughput_ratio: connect?.throughput ?? Number.NaN,
    connect_both_sides_throughput_ratio: connectBoth?.throughput ?? Number.NaN,
  }
}

function ratio(own: readonly ServerRound[], base: readonly ServerRound[], figure: keyof ServerRound): number {
  return median(own.map((round, index) => round[figure] / (base[index]?.[figure] ?? Number.NaN)))
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000
}

/** Each round begins with another row, so that none always follows the same one. */
function inTurn<T>(items: readonly T[], round: number): T[] {
  const first = round % items.length
  return [...items.slice(first), ...items.slice(0, first)]
}

function bareClient(port: number) {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.enable_channelz': 0 })
  const serialize = (message: EchoRequest) => Buffer.from(toBinary(EchoRequestSchema, message))
  const deserialize = (bytes: Buffer) => fromBinary(EchoResponseSchema, bytes)
  const path = `/${EchoService.typeName}/Echo`
  const call = () =>
    new Promise<EchoResponse | undefined>((resolve, reject) => {
      const options = { deadline: Date.now() + timeoutMs }
      const message = create(EchoRequestSchema, request)
      client.makeUnaryRequest(
        path,
        serialize,
        deserialize,
        message,
        new Metadata(),
        options,
        (error, reply) => {
          if (error) reject(error)
          else resolve(reply)
        },
      )
    })
  return { call, close: () => client.close() }
}

function chassisClient(port: number) {
  const transport = createGrpcTransport({ address: `127.0.0.1:${port}` })
  const client = createClient(EchoService, transport)
  return { call: () => client.echo(request, { timeoutMs }), close: () => transport.close() }
}

function connectClient(port: number) {
  const client = createClient(EchoService, createConnectTransport({ baseUrl: `http://127.0.0.1:${port}` }))
  return { call: () => client.echo(request, { timeoutMs }), close: () => {} }
}

/** Starts one process per kind of server. */
async function startServers() {
  const kinds = [...new Set(rows.map((row) => row.server))]
  const started = await Promise.all(kinds.map(async (kind) => [kind, await startServer(kind)] as const))
  const byKind = new Map(started)
  return {
    port: (kind: Row['server']) => byKind.get(kind)?.port ?? 0,
    cpuMicroseconds: async (kind: Row['server']): Promise<number> => {
      const child = byKind.get(kind)?.child
      if (child === undefined) throw new Error(`the ${kind} server is not running`)
      child.send('cpu')
      const [message] = (await once(child, 'message')) as [{ cpuMicroseconds: number }]
      return message.cpuMicroseconds
    },
    close: async () => {
      await Promise.all([...byKind.values()].map((server) => stopServer(server.child)))
    },
  }
}

async function startServer(kind: Row['server']): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(path.join(import.meta.dirname, 'rpc', 'server.ts'), [kind], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  const [message] = (await once(child, 'message')) as [{ port: number }]
  return { child, port: message.port }
}

async function stopServer(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit')
  child.disconnect()
  await exit
}
