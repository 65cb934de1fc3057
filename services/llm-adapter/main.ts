import { LlmAdapterService } from '../gen/nexus/llm_adapter/v1/llm_adapter_service_pb.ts'
import type { Clock } from '../platform/clock.ts'
import { openJournal } from '../platform/journal/open.ts'
import { mount, type StartService } from '../platform/service.ts'
import { TokenBudget } from './budget.ts'
import { createEvents } from './events.ts'
import { builtinModel } from './model.builtin.ts'
import { openOpenAiModel } from './model.openai.ts'
import type { Model } from './model.ts'
import { createLlmAdapter } from './service.ts'
import { type Settings, settingsFrom } from './settings.ts'

/** Wires the door to language models. */
export const start: StartService = async (context) => {
  const settings = settingsFrom(context.env)
  const { clock, log } = context
  const model = await openModel(settings, clock)
  const onWarning = (message: string) => log.warn('journal', { message })
  const journal = await openJournal(settings.journalUrl, { clock, onWarning })
  const events = createEvents(log, context.registry)
  const { totalTimeoutMs: totalMs, attemptTimeoutMs: attemptMs, silenceMs, defaultMaxOutputTokens } = settings
  events.started(model.about)
  const implementation = createLlmAdapter({
    model,
    budget: new TokenBudget({ journal, clock, tokensPerDay: settings.dailyTokenBudget }),
    events,
    clock,
    random: Math.random,
    limits: { totalMs, attemptMs },
    silenceMs,
    defaultMaxOutputTokens,
  })
  const close = () => journal.close()
  return { name: 'llm-adapter', mounted: [mount(LlmAdapterService, implementation)], close }
}

async function openModel(settings: Settings, clock: Clock): Promise<Model> {
  if (settings.url === 'builtin:') return builtinModel
  const { apiKey, completionModel, embeddingModel, dialect } = settings
  const baseUrl = settings.url.slice('openai:'.length)
  return openOpenAiModel({ baseUrl, apiKey, completionModel, embeddingModel, dialect, clock })
}
