import { trace } from '@opentelemetry/api'
import { Counter, type Registry } from 'prom-client'
import type { Log } from '../platform/log.ts'
import type { AboutModel, ModelError, TokenUsage } from './model.ts'

/** Everything that the adapter reports. None of it is given a prompt, an answer or a key, so none can leak one. */
export interface Events {
  started(about: AboutModel): void
  answered(operation: Operation, usage: TokenUsage): void
  refused(operation: Operation, reason: string): void
  attemptFailed(error: ModelError, next: { tries: number; pauseMs?: number }): void
  answerUnusable(fault: string): void
  tokensUsed(cost: TokenUsage): void
}

export type Operation = 'complete' | 'stream_completion' | 'complete_structured' | 'embed'

export function createEvents(log: Log, registry: Registry): Events {
  const { calls, attempts, tokens } = createMetrics(registry)
  const note = (name: string, fields: Record<string, string | number>) =>
    trace.getActiveSpan()?.addEvent(name, fields)
  return {
    started: ({ provider, completionModel, embeddingModel }) => {
      log.info('llm_adapter_started', {
        provider,
        completion_model: completionModel,
        embedding_model: embeddingModel,
      })
    },
    answered: (operation, { inputTokens, outputTokens }) => {
      const fields = { operation, input_tokens: inputTokens, output_tokens: outputTokens }
      calls.inc({ operation, outcome: 'answered' })
      log.info('model_answered', fields)
      note('model_answered', fields)
    },
    refused: (operation, reason) => {
      calls.inc({ operation, outcome: reason })
      log.info('model_call_refused', { operation, reason })
      note('model_call_refused', { operation, reason })
    },
    attemptFailed: ({ fault, message }, { tries, pauseMs }) => {
      attempts.inc({ fault })
      log.warn('model_attempt_failed', { fault, message, tries, pause_ms: pauseMs })
      note('model_attempt_failed', { fault, tries })
    },
    answerUnusable: (fault) => {
      log.warn('model_answer_unusable', { fault })
      note('model_answer_unusable', {})
    },
    tokensUsed: ({ inputTokens, outputTokens }) => {
      tokens.inc({ direction: 'input' }, inputTokens)
      tokens.inc({ direction: 'output' }, outputTokens)
    },
  }
}

function createMetrics(registry: Registry) {
  const registers = [registry]
  return {
    calls: new Counter({
      name: 'nexus_llm_calls_total',
      help: 'Calls, by operation and outcome: answered, or why not.',
      labelNames: ['operation', 'outcome'],
      registers,
    }),
    attempts: new Counter({
      name: 'nexus_llm_failed_attempts_total',
      help: 'Requests to the provider that failed and were worth another try, by fault.',
      labelNames: ['fault'],
      registers,
    }),
    tokens: new Counter({
      name: 'nexus_llm_tokens_total',
      help: 'Tokens that count against the budget, by direction: input or output.',
      labelNames: ['direction'],
      registers,
    }),
  }
}
