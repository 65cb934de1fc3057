import { trace } from '@opentelemetry/api'
import { Counter, type Registry } from 'prom-client'
import type { Log } from '../platform/log.ts'

/** What the service tells about itself: each function is one thing that happened. */
export interface OrchestratorEvents {
  /** Documents were brought in. */
  populated(counts: { stored: number; unchanged: number }): void
  /** A question was answered. */
  answered(origin: string, citations: number): void
  /** A model is configured, but this answer is not its. */
  modelNotUsed(reason: 'unavailable' | 'unfinished' | 'uncited', error?: unknown): undefined
}

/** Registers the service's metrics. */
export function createOrchestratorEvents(log: Log, registry: Registry): OrchestratorEvents {
  const populated = new Counter({
    name: 'nexus_populated_documents_total',
    help: 'Documents that people brought in, by what became of them.',
    labelNames: ['outcome'],
    registers: [registry],
  })
  const answers = new Counter({
    name: 'nexus_answers_total',
    help: 'Questions answered, by how the answer came about.',
    labelNames: ['origin'],
    registers: [registry],
  })
  const fallbacks = new Counter({
    name: 'nexus_answer_fallbacks_total',
    help: 'Answers that a configured model did not write, by the reason.',
    labelNames: ['reason'],
    registers: [registry],
  })
  return {
    populated: (counts) => {
      populated.inc({ outcome: 'stored' }, counts.stored)
      populated.inc({ outcome: 'unchanged' }, counts.unchanged)
      log.info('documents_populated', counts)
      trace.getActiveSpan()?.addEvent('documents_populated', counts)
    },
    answered: (origin, citations) => {
      answers.inc({ origin })
      log.info('question_answered', { origin, citations })
      trace.getActiveSpan()?.addEvent('question_answered', { origin, citations })
    },
    modelNotUsed: (reason, error) => {
      fallbacks.inc({ reason })
      log.warn('model_answer_not_used', { reason, error })
      trace.getActiveSpan()?.addEvent('model_answer_not_used', { reason })
    },
  }
}
