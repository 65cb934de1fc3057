import type { StartService } from '../platform/service.ts'
import { createSandboxEvents } from './events.ts'
import { openDockerRunner } from './runner.docker.ts'
import { openSandbox } from './sandbox.ts'
import { createExecutionSandbox } from './service.ts'
import { readSandboxSettings } from './settings.ts'

/** Starts the one room for untrusted code. It answers at once; its tiers are probed in the background. */
export const start: StartService = async ({ env, log, registry, clock }) => {
  const settings = readSandboxSettings(env)
  const events = createSandboxEvents(log, registry)
  const sandbox = await openSandbox({
    ...settings,
    openDocker: (around) => openDockerRunner(settings.dockerSocket, around),
    clock,
    onProbed: events.tierProbed,
  })
  return {
    name: 'execution-sandbox',
    mounted: [createExecutionSandbox(sandbox, settings.leastTier, events)],
    close: () => sandbox.close(),
  }
}
