import { createClient } from '@connectrpc/connect'
import { CodeModifierService } from '../gen/nexus/code_modifier/v1/code_modifier_service_pb.ts'
import { DeployerService } from '../gen/nexus/deployer/v1/deployer_service_pb.ts'
import { GovernorService } from '../gen/nexus/governor/v1/governor_service_pb.ts'
import { KnowledgeRetrieverService } from '../gen/nexus/knowledge_retriever/v1/knowledge_retriever_service_pb.ts'
import { MetaControllerService } from '../gen/nexus/meta_controller/v1/meta_controller_service_pb.ts'
import { openJournal } from '../platform/journal/open.ts'
import { mount, type StartService } from '../platform/service.ts'
import { openSignals } from '../platform/signals/open.ts'
import { adoptTargets } from './adopt.ts'
import { createEvents } from './events.ts'
import { createExperienceStore } from './experience.ts'
import { Objectives } from './objectives.ts'
import { createProver } from './proof/prover.ts'
import { createMetaController } from './service.ts'
import { settingsFrom } from './settings.ts'
import { Watchers } from './watchers.ts'

/** Wires the mind. Work that an earlier process left goes on at once; its first calls wait until the peers answer. */
export const start: StartService = async (context) => {
  const settings = settingsFrom(context.env)
  const { clock, log } = context
  const onWarning = (message: string) => log.warn('journal', { message })
  const journal = await openJournal(settings.journalUrl, { clock, onWarning })
  const signals = await openSignals(settings.metricsUrl, { clock, log })
  const peers = {
    governor: createClient(GovernorService, context.transport('governor')),
    codeModifier: createClient(CodeModifierService, context.transport('code-modifier')),
    deployer: createClient(DeployerService, context.transport('deployer')),
    knowledge: createClient(KnowledgeRetrieverService, context.transport('knowledge-retriever')),
  }
  const drain = new AbortController()
  context.signal.addEventListener('abort', () => drain.abort(context.signal.reason), { once: true })
  const { observeSeconds, defaultAutonomy } = settings
  const experiences = createExperienceStore(journal)
  const events = createEvents(log, context.registry)
  const prover = createProver()
  const parts = {
    journal,
    clock,
    events,
    watchers: new Watchers(),
    stageContext: { peers, signals, experiences, prover, clock, observeSeconds },
  }
  const objectives = new Objectives(parts, drain.signal)
  await objectives.resume()
  const targets = settings.targets.map((target) => target.split('=', 1)[0] ?? target)
  const adopted = adoptTargets(targets, { peers, clock, signal: drain.signal, events })
  const implementation = createMetaController({ objectives, targets, defaultAutonomy })
  const close = async () => {
    drain.abort(new Error('the process drains'))
    await Promise.all([objectives.stopped(), adopted])
    await prover.close()
    await signals.close()
    await journal.close()
  }
  return { name: 'meta-controller', mounted: [mount(MetaControllerService, implementation)], close }
}
