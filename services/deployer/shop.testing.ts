import fs from 'node:fs'
import git from 'isomorphic-git'

// A target for tests: a gRPC server of thirty lines on grpc-js, and changes to it.

/** How the shop answers. Each is a change of one line of its source. */
export type Behaviour = 'well' | 'overloaded' | 'failing' | 'dying' | 'not starting' | 'refusing'

const behaviours: Readonly<Record<Behaviour, string>> = {
  well: 'const answer = (call, reply) => reply(null, call.request)',
  // Good for some 150 calls in a second.
  overloaded:
    "let calls = 0\nsetInterval(() => { calls = 0 }, 1000).unref()\nconst answer = (call, reply) => ++calls < 150 ? reply(null, call.request) : reply({ code: 14, details: 'full' })",
  // gRPC errors come under HTTP 200.
  failing:
    "let calls = 0\nconst answer = (call, reply) => ++calls % 4 ? reply(null, call.request) : reply({ code: 13, details: 'broken' })",
  dying:
    'let calls = 0\nconst fall = () => { throw new Error("out of stock") }\nconst answer = (call, reply) => ++calls > 100 ? setImmediate(fall) : reply(null, call.request)',
  'not starting': "throw new Error('the shelves are missing')",
  refusing: "const answer = (call, reply) => reply({ code: 5, details: 'not found' })",
}

function source(behaviour: Behaviour, remark: string): string {
  return `import { Server, ServerCredentials } from '@grpc/grpc-js'
// ${remark}
${behaviours[behaviour]}
const bytes = (value) => value
const method = (path) => ({
  path,
  requestStream: false,
  responseStream: false,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
})
const server = new Server()
server.addService({ get: method('/shop.v1.Shop/Get') }, { get: answer })
server.addService(
  { check: method('/grpc.health.v1.Health/Check') },
  { check: (_call, reply) => reply(null, Buffer.from([8, 1])) },
)
server.bindAsync(\`127.0.0.1:\${process.env.PORT}\`, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error
  console.log('the shop is open', process.env.GREETING, Object.keys(process.env).sort().join())
})
process.once('SIGTERM', () => server.tryShutdown(() => process.exit()))
`
}

/** The files of the shop; `remark` makes two of the same behaviour differ. */
export function shopFiles(
  options: { behaviour?: Behaviour; remark?: string; rollout?: string; manifest?: string } = {},
): Record<string, string> {
  const rollout =
    options.rollout ??
    'steps: [{weight: 30, min_seconds: 1}, {weight: 50, min_seconds: 1}], max_seconds: 30, watch_seconds: 1'
  return {
    'main.js': source(options.behaviour ?? 'well', options.remark ?? 'as it was'),
    'package.json': '{"name": "shop", "type": "module"}\n',
    'nexus.yaml':
      options.manifest ??
      `name: shop
services: [{name: shop, port_env: PORT, health: grpc}]
commands: {test: [node, --test], start: [node, main.js]}
environment: {GREETING: welcome}
rollout: {${rollout}, latency_tolerance: 10}
`,
  }
}

const author = { name: 'NEXUS', email: 'nexus@example.test', timestamp: 1_760_000_100, timezoneOffset: 0 }

/** A change in NEXUS's mirror, as code-modifier commits one. */
export interface ShopChange {
  readonly changeId: string
  readonly commit: string
  readonly tree: string
  readonly baseCommit: string
  readonly digest: string
}

/** Commits files on top of `baseCommit` on the change's own branch of a bare repository. */
export async function commitChange(
  mirrorPath: string,
  change: { changeId: string; baseCommit: string; files: Readonly<Record<string, string>> },
): Promise<ShopChange> {
  const at = { fs, gitdir: mirrorPath }
  const { changeId, baseCommit, files } = change
  const entries = await Promise.all(
    Object.entries(files).map(async ([path, content]) => {
      const oid = await git.writeBlob({ ...at, blob: Buffer.from(content) })
      return { mode: '100644', path, oid, type: 'blob' as const }
    }),
  )
  const tree = await git.writeTree({ ...at, tree: entries })
  const digest = 'd'.repeat(64)
  const message = `Change the shop\n\nNexus-Change-Id: ${changeId}\nNexus-Evidence: ${digest}\n`
  const commit = await git.writeCommit({
    ...at,
    commit: { tree, parent: [baseCommit], message, author, committer: author },
  })
  await git.writeRef({ ...at, ref: `refs/heads/nexus/${changeId}`, value: commit, force: true })
  return { changeId, commit, tree, baseCommit, digest }
}
