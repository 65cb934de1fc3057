import type { Client } from '@connectrpc/connect'
import type { ExecutionSandboxService } from '../../gen/nexus/execution_sandbox/v1/execution_sandbox_service_pb.ts'
import type { Checkout } from '../../platform/target/checkout.ts'
import type { Manifest } from '../../platform/target/manifest.ts'
import { type Gates, type Passed, Refused } from '../gates.ts'
import { type CommandOutcome, runTargetCommand } from './run-command.ts'
import { testsTold } from './tests-told.ts'

/** What gates that run code of the target need. */
export interface GateRun {
  readonly sandbox: Client<typeof ExecutionSandboxService>
  /** Holds the checkouts and their dependencies. */
  readonly dataFolder: string
  readonly manifest: Manifest
  readonly gates: Gates
  readonly signal: AbortSignal
}

const testTimeMs = 300_000
const lintTimeMs = 120_000

/** The target's tests before the change. When they fail, nothing that a change does can be judged by them. */
export async function testBase(run: GateRun, base: Checkout): Promise<void> {
  await run.gates.pass('tests-before', async () => {
    const outcome = await runTests(run, base)
    if (!outcome.passed) throw new Refused(`the target's tests fail before the change: ${outcome.detail}`)
    return told(outcome)
  })
}

/** The tests of the base commit against the change: no change touches tests. */
export async function testChange(run: GateRun, changed: Checkout): Promise<void> {
  await run.gates.pass('tests-after', async () => {
    const outcome = await runTests(run, changed)
    if (!outcome.passed) throw new Refused(`the target's tests fail after the change: ${outcome.detail}`)
    return told(outcome)
  })
}

/** The target's own lint command on the change, where it has one. */
export async function lintChange(run: GateRun, changed: Checkout): Promise<void> {
  const { lint } = run.manifest.commands
  if (lint === undefined) return
  await run.gates.pass('lint', async () => {
    const command = {
      argv: lint,
      checkout: changed,
      root: run.dataFolder,
      environment: run.manifest.environment,
      wallTimeMs: lintTimeMs,
    }
    const outcome = await runTargetCommand(run.sandbox, command, run.signal)
    if (!outcome.passed) throw new Refused(`the target's lint fails after the change: ${outcome.detail}`)
    return {
      result: undefined,
      detail: `passed in ${seconds(outcome)}, in ${outcome.tier}`,
      tier: outcome.tier,
    }
  })
}

function runTests(run: GateRun, checkout: Checkout): Promise<CommandOutcome> {
  const { commands, environment } = run.manifest
  return runTargetCommand(
    run.sandbox,
    { argv: commands.test, checkout, root: run.dataFolder, environment, wallTimeMs: testTimeMs },
    run.signal,
  )
}

function told(outcome: CommandOutcome): Passed<undefined> {
  const count = testsTold(outcome.output)
  const what = count === undefined ? 'passed' : `${count} passed`
  return {
    result: undefined,
    detail: `${what} in ${seconds(outcome)}, in ${outcome.tier}`,
    tier: outcome.tier,
  }
}

function seconds(outcome: CommandOutcome): string {
  return `${(outcome.durationMs / 1000).toFixed(1)} s`
}
