import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import {
  type Limits as LimitsMessage,
  Outcome as OutcomeCode,
  Tier as TierCode,
  Trust,
  type VerdictSchema,
} from '../gen/nexus/execution_sandbox/v1/execution_pb.ts'
import {
  type ExecuteRequest,
  type ExecuteResponse,
  ExecuteResponseSchema,
  ExecutionSandboxService,
} from '../gen/nexus/execution_sandbox/v1/execution_sandbox_service_pb.ts'
import { type MountedService, mount } from '../platform/service.ts'
import { InvalidExecutionError } from './admit.ts'
import type { SandboxEvents } from './events.ts'
import {
  type Execution,
  type Limits,
  type Outcome,
  type Tier,
  usualLimits,
  type Verdict,
} from './execution.ts'
import type { Sandbox } from './sandbox.ts'
import { QueueFullError } from './slots.ts'

const tierCodes: Record<Tier, TierCode> = {
  host: TierCode.HOST,
  unshare: TierCode.UNSHARE,
  bubblewrap: TierCode.BUBBLEWRAP,
  docker: TierCode.DOCKER,
}

const outcomeCodes: Record<Outcome, OutcomeCode> = {
  exited: OutcomeCode.EXITED,
  signaled: OutcomeCode.SIGNALED,
  'timed-out': OutcomeCode.TIMED_OUT,
  'out-of-memory': OutcomeCode.OUT_OF_MEMORY,
  'output-limit': OutcomeCode.OUTPUT_LIMIT,
  'file-limit': OutcomeCode.FILE_LIMIT,
  canceled: OutcomeCode.CANCELED,
  refused: OutcomeCode.REFUSED,
}

/** The RPCs over one sandbox. */
export function createExecutionSandbox(
  sandbox: Sandbox,
  leastTier: Tier,
  events: SandboxEvents,
): MountedService {
  return mount(ExecutionSandboxService, {
    execute: (request, context) => execute(sandbox, unpack(request, leastTier), context.signal, events),
    getCapabilities: async () => ({
      tiers: (await sandbox.capabilities()).map((capability) => ({
        ...capability,
        tier: tierCodes[capability.tier],
      })),
    }),
  })
}

/** Streams output as it comes, then the verdict. What waits here is bounded by the execution's own output limit. */
async function* execute(
  sandbox: Sandbox,
  execution: Execution,
  signal: AbortSignal,
  events: SandboxEvents,
): AsyncGenerator<ExecuteResponse> {
  const waiting: ExecuteResponse[] = []
  let wake = () => {}
  const ended = new AbortController()
  const run = sandbox
    .run(execution, {
      signal: AbortSignal.any([signal, ended.signal]),
      onOutput: (stream, bytes) => {
        waiting.push(create(ExecuteResponseSchema, { event: { case: stream, value: bytes } }))
        wake()
      },
    })
    .finally(() => {
      isOver = true
      wake()
    })
  let isOver = false
  // Its failure is thrown where it is awaited below; until then it is not unhandled.
  run.catch(() => undefined)
  try {
    while (!isOver || waiting.length > 0) {
      const next = waiting.shift()
      if (next) yield next
      else {
        await new Promise<void>((resolve) => {
          wake = resolve
          if (isOver) resolve()
        })
      }
    }
    yield await packVerdict(run, events)
  } finally {
    ended.abort(new Error('the caller has left'))
  }
}

async function packVerdict(run: Promise<Verdict>, events: SandboxEvents): Promise<ExecuteResponse> {
  try {
    const verdict = await run
    events.executionEnded(verdict)
    return create(ExecuteResponseSchema, { event: { case: 'verdict', value: verdictMessage(verdict) } })
  } catch (error) {
    if (error instanceof InvalidExecutionError) throw new ConnectError(error.message, Code.InvalidArgument)
    if (error instanceof QueueFullError) {
      events.queueWasFull()
      throw new ConnectError(error.message, Code.ResourceExhausted)
    }
    throw error
  }
}

function verdictMessage(verdict: Verdict): MessageInitShape<typeof VerdictSchema> {
  return {
    ...verdict,
    outcome: outcomeCodes[verdict.outcome],
    tier: verdict.outcome === 'refused' ? TierCode.UNSPECIFIED : tierCodes[verdict.tier],
    maxMemoryBytes: BigInt(verdict.maxMemoryBytes),
    files: verdict.files.map((file) => ({ ...file })),
  }
}

function unpack(request: ExecuteRequest, leastTier: Tier): Execution {
  return {
    command: request.command,
    environment: request.environment,
    workingDirectory: request.workingDirectory,
    stdin: request.stdin,
    mounts: request.mounts.map(({ hostPath, path }) => ({ hostPath, path })),
    outputs: request.outputs,
    limits: unpackLimits(request.limits),
    leastTier: unpackTier(request.leastTier, leastTier),
    trust: request.trust === Trust.TARGET_OWN ? 'target-own' : 'untrusted',
  }
}

function unpackTier(code: TierCode, usual: Tier): Tier {
  const found = (Object.keys(tierCodes) as Tier[]).find((tier) => tierCodes[tier] === code)
  return found ?? usual
}

/** Zero means the usual limit. */
function unpackLimits(limits: LimitsMessage | undefined): Limits {
  return {
    wallTimeMs: limits?.wallTimeMs || usualLimits.wallTimeMs,
    memoryBytes: Number(limits?.memoryBytes ?? 0n) || usualLimits.memoryBytes,
    processes: limits?.processes || usualLimits.processes,
    outputBytes: Number(limits?.outputBytes ?? 0n) || usualLimits.outputBytes,
    fileBytes: Number(limits?.fileBytes ?? 0n) || usualLimits.fileBytes,
    openFiles: limits?.openFiles || usualLimits.openFiles,
  }
}
