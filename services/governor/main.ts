import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { GovernorService } from '../gen/nexus/governor/v1/governor_service_pb.ts'
import { openJournal } from '../platform/journal/open.ts'
import { mount, type StartService } from '../platform/service.ts'
import { openSignals } from '../platform/signals/open.ts'
import { keyIdOf } from '../platform/warrant/keys.ts'
import { Approvals } from './approvals.ts'
import { Authority } from './authorize.ts'
import { createEvents } from './events.ts'
import { provideSigningKey } from './keys.ts'
import { loadPolicy, type Policy, PolicyError } from './policy.ts'
import { createGovernor } from './service.ts'
import { resolutionOf, settingsFrom } from './settings.ts'
import { Slos } from './slos.ts'

const policyFolder = path.join(import.meta.dirname, 'policy')

/** Wires the law. A policy or a key that cannot be used stops the start; nothing is signed without both. */
export const start: StartService = async (context) => {
  const settings = settingsFrom(context.env)
  const { clock, log } = context
  const policyFile = settings.policyFile ?? path.join(policyFolder, 'default.cedar')
  const policy = await readPolicy(policyFile)
  const { privateKey, publicPem, made } = provideSigningKey(path.join(settings.dataFolder, 'keys'))
  const keyId = keyIdOf(privateKey)
  const onWarning = (message: string) => log.warn('journal', { message })
  const journal = await openJournal(settings.journalUrl, { clock, onWarning })
  const signals = openSignals(settings.metricsUrl, { clock, log })
  const events = createEvents(log, context.registry)
  const { approvalTtlS, warrantTtlS, defaultAutonomy } = settings
  const approvals = new Approvals({ journal, clock, events })
  const authority = new Authority({
    journal,
    approvals,
    policy,
    privateKey,
    clock,
    events,
    approvalTtlS,
    warrantTtlS,
  })
  const slos = new Slos({ journal, signals, clock, events, resolutionS: resolutionOf(settings) })
  events.started({ keyId, keyMade: made, policyDigest: policy.digest, policyFile })
  const implementation = createGovernor({
    slos,
    authority,
    approvals,
    policy,
    publicPem,
    keyId,
    defaultAutonomy,
  })
  const close = async () => {
    await signals.close()
    await journal.close()
  }
  return { name: 'governor', mounted: [mount(GovernorService, implementation)], close }
}

async function readPolicy(file: string): Promise<Policy> {
  const schema = await readFile(path.join(policyFolder, 'schema.cedarschema'), 'utf8')
  try {
    return await loadPolicy({ text: await readFile(file, 'utf8'), schema, file })
  } catch (error) {
    if (error instanceof PolicyError) throw error
    throw new PolicyError(
      `the policy ${file} cannot be read (${(error as Error).message}): correct NEXUS_POLICY_FILE`,
      { cause: error },
    )
  }
}
