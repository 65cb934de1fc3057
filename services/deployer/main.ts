import { DeployerService } from '../gen/nexus/deployer/v1/deployer_service_pb.ts'
import { openJournal } from '../platform/journal/open.ts'
import { mount, type StartService } from '../platform/service.ts'
import { readPublicKeyFile } from '../platform/warrant/keys.ts'
import { Deployments } from './deployments.ts'
import { createEvents } from './events.ts'
import { LocalTarget } from './local/target.ts'
import { createDeployerService } from './service.ts'
import { readDeployerSettings } from './settings.ts'

/** The feet: brings a commit to the traffic step by step, and back. */
export const start: StartService = async ({ env, log, registry, clock, signal }) => {
  const settings = readDeployerSettings(env)
  const publicKeys = [readPublicKeyFile(settings.warrantPublicKeyFile)]
  const events = createEvents(log, registry)
  const journal = await openJournal(settings.journalUrl, {
    clock,
    onWarning: (message) => events.journalWarned(message),
  })
  const targets = new Map(
    [...settings.targets].map(([name, originPath], index) => [
      name,
      new LocalTarget({
        name,
        originPath,
        dataFolder: settings.dataFolder,
        port: portOf(settings.port, index),
        metricsPort: portOf(settings.metricsPort, index),
        targetEnvironment: settings.targetEnvironment,
        environment: env,
        journal,
        clock,
        events,
      }),
    ]),
  )
  const ending = new AbortController()
  const deployments = new Deployments({
    journal,
    clock,
    events,
    targets,
    publicKeys,
    signal: AbortSignal.any([signal, ending.signal]),
  })
  for (const target of targets.values()) target.start()
  await deployments.resume()
  return {
    name: 'deployer',
    mounted: [mount(DeployerService, createDeployerService({ deployments, targets }))],
    close: async () => {
      ending.abort(new Error('the deployer is ending'))
      await Promise.all([...targets.values()].map((target) => target.close()))
      await deployments.close()
      await journal.close()
    },
  }
}

/** Target by target the next port; 0 stays 0, any free one. */
function portOf(first: number, index: number): number {
  return first === 0 ? 0 : first + index
}
