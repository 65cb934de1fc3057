import path from 'node:path'
import { createClient } from '@connectrpc/connect'
import { CodeModifierService } from '../gen/nexus/code_modifier/v1/code_modifier_service_pb.ts'
import { ExecutionSandboxService } from '../gen/nexus/execution_sandbox/v1/execution_sandbox_service_pb.ts'
import { openJournal } from '../platform/journal/open.ts'
import { mount, type StartService } from '../platform/service.ts'
import { readPublicKeyFile } from '../platform/warrant/keys.ts'
import { Changes } from './changes.ts'
import { createEvents } from './events.ts'
import { openCommitSigner } from './git/signature.ts'
import { runRecipe } from './recipes/run.ts'
import { createCodeModifier } from './service.ts'
import { settingsFrom } from './settings.ts'
import { createTargets } from './targets.ts'

/** Wires the hands. What a killed process left of unfinished proposals is removed first. */
export const start: StartService = async (context) => {
  const settings = settingsFrom(context.env)
  const { clock, log } = context
  const onWarning = (message: string) => log.warn('journal', { message })
  const publicKey = readPublicKeyFile(settings.warrantKeyFile)
  const signer = openCommitSigner(path.join(settings.dataFolder, 'keys'), settings.commitEmail)
  const journal = await openJournal(settings.journalUrl, { clock, onWarning })
  const drain = new AbortController()
  context.signal.addEventListener('abort', () => drain.abort(context.signal.reason), { once: true })
  const targets = createTargets(settings.targets, settings.dataFolder)
  const changes = new Changes({
    sandbox: createClient(ExecutionSandboxService, context.transport('execution-sandbox')),
    clock,
    dataFolder: settings.dataFolder,
    benchmarkRuns: settings.benchmarkRuns,
    environment: context.env,
    runRecipe,
    journal,
    targets,
    signer,
    committer: { name: settings.commitName, email: settings.commitEmail },
    publicKeys: [publicKey],
    events: createEvents(log, context.registry),
    drain: drain.signal,
  })
  await changes.cleanUp()
  const close = async () => {
    drain.abort(new Error('the process drains'))
    await changes.stopped()
    await journal.close()
  }
  return {
    name: 'code-modifier',
    mounted: [mount(CodeModifierService, createCodeModifier(changes, targets))],
    close,
  }
}
