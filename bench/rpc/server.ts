// One server of bench/rpc, in a process of its own: `bare`, `chassis`, `traced` or `connect`. It tells its port to the
// process that forked it and ends when that one lets go of it.
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js'
import { Registry } from 'prom-client'
import {
  type EchoRequest,
  EchoRequestSchema,
  type EchoResponse,
  EchoResponseSchema,
  EchoService,
} from '../../services/gen/nexus/echo/v1/echo_service_pb.ts'
import { echo } from '../../services/platform/grpc/echo.testing.ts'
import { createGrpcServer } from '../../services/platform/grpc/server.ts'
import { createLog } from '../../services/platform/log.ts'
import { openTracing } from '../../services/platform/tracing.ts'

const starts: Record<string, () => Promise<number>> = {
  bare: startBare,
  chassis: () => startChassis(false),
  traced: () => startChassis(true),
  connect: startConnect,
}

async function startChassis(traced: boolean): Promise<number> {
  const log = createLog({ level: 'warn' })
  const tracing = await openTracing({ serviceName: 'bench', log, exporter: traced ? discarding : undefined })
  const server = createGrpcServer({
    mounted: [echo],
    log,
    registry: new Registry(),
    tracer: tracing.callTracer,
  })
  return await server.listen('127.0.0.1:0')
}

/** Spans are made, batched and dropped: the cost of recording, without that of a collector on the same two cores. */
const discarding = {
  export: (_spans: unknown, done: (result: { code: number }) => void) => done({ code: 0 }),
  shutdown: async () => {},
}

/** grpc-js as its users write it, with the same codecs; channelz is off as in the chassis, so that this is not what is compared. */
function startBare(): Promise<number> {
  const server = new Server({ 'grpc.enable_channelz': 0 })
  server.register(
    `/${EchoService.typeName}/Echo`,
    (call: ServerUnaryCall<EchoRequest, EchoResponse>, respond: sendUnaryData<EchoResponse>) => {
      respond(null, create(EchoResponseSchema, { text: call.request.text, labels: call.request.labels }))
    },
    (reply: EchoResponse) => Buffer.from(toBinary(EchoResponseSchema, reply)),
    (bytes: Buffer) => fromBinary(EchoRequestSchema, bytes),
    'unary',
  )
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error)
      else resolve(port)
    })
  })
}

function startConnect(): Promise<number> {
  const handler = connectNodeAdapter({ routes: (router) => router.service(EchoService, echo.implementation) })
  const server = createServer(handler)
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}

// The processor time of this process so far, whenever it is asked for.
process.on('message', () => process.send?.({ cpuMicroseconds: cpuMicroseconds() }))
process.on('disconnect', () => process.exit(0))
const start = starts[process.argv[2] ?? '']
if (start === undefined) throw new Error(`no such server: ${process.argv[2]}`)
process.send?.({ port: await start() })

function cpuMicroseconds(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}
