import { type Model, ModelError } from './model.ts'

const remark =
  'no language model is configured: NEXUS works with recipes and extractive answers. To configure one set NEXUS_LLM_URL=openai:https://<host>/v1 (any OpenAI-compatible server), NEXUS_LLM_MODEL=<model>, and NEXUS_LLM_API_KEY where the server wants one'

/** No model: every call says so, and how to configure one. */
export const builtinModel: Model = {
  about: { configured: false, provider: 'builtin', completionModel: '', embeddingModel: '', remark },
  complete: () => Promise.reject(notConfigured()),
  stream: () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(notConfigured()) }) }),
  embed: () => Promise.reject(notConfigured()),
}

function notConfigured(): ModelError {
  return new ModelError('not_configured', remark, { free: true })
}
