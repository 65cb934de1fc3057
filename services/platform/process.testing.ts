// A program for process.test.ts: an echo server whose handlers take as long as their text says, ended as the first
// argument says. It prints its port, and `closed <name>` for each thing it closes.

import { setTimeout as sleep } from 'node:timers/promises'
import { Registry } from 'prom-client'
import { EchoService } from '../gen/nexus/echo/v1/echo_service_pb.ts'
import { createGrpcServer } from './grpc/server.ts'
import { createLog } from './log.ts'
import { runUntilSignal } from './process.ts'
import { mount } from './service.ts'

const kind = process.argv[2] ?? 'serve'
const log = createLog({ level: 'info' })
const print = (line: string) => void process.stdout.write(`${line}\n`)

const slow = mount(EchoService, {
  echo: async (request) => {
    print('entered')
    await sleep(Number(request.text))
    return { text: 'finished' }
  },
  expand: async function* () {},
  collect: async () => ({}),
  converse: async function* () {},
})

await runUntilSignal({ log, maxCloseMs: 1500 }, async ({ closers, signal }) => {
  signal.addEventListener('abort', () => print('draining'))
  closers.add('journal', () => print('closed journal'))
  const server = createGrpcServer({ mounted: [slow], log, registry: new Registry() })
  const port = await server.listen('127.0.0.1:0')
  closers.add('server', async () => {
    await server.drain(1000)
    print('closed server')
  })
  if (kind.startsWith('stuck')) closers.add('stuck', () => new Promise(() => {}))
  if (kind.endsWith('fail')) throw new Error('the start failed')
  if (kind === 'leak') setInterval(() => {}, 1000)
  if (kind === 'reject') void Promise.reject(new Error('nobody caught me'))
  print(`port ${port}`)
})
print('ended')
