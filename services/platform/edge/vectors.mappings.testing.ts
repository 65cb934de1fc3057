import type { Vector } from './vector.testing.ts'

const submit = 'nexus.meta_controller.v1.MetaControllerService/SubmitObjective'
const getObjective = 'nexus.meta_controller.v1.MetaControllerService/GetObjective'
const cancelObjective = 'nexus.meta_controller.v1.MetaControllerService/CancelObjective'
const query = 'nexus.orchestrator.v1.OrchestratorService/Query'
const populate = 'nexus.orchestrator.v1.OrchestratorService/Populate'
const listApprovals = 'nexus.governor.v1.GovernorService/ListApprovals'
const decide = 'nexus.governor.v1.GovernorService/DecideApproval'
const statistics = 'nexus.knowledge_retriever.v1.KnowledgeRetrieverService/GetStatistics'

const emptyObjective =
  '"goal":"","target_metric":"","intervention":"","affected_metrics":[],"target":"","autonomy":"AUTONOMY_UNSPECIFIED","state":"OBJECTIVE_STATE_UNSPECIFIED","stage":"STAGE_UNSPECIFIED","reason":"","change_id":"","commit":"","approval_id":""'

/** How JSON becomes a message and a message JSON. */
export const mappings: readonly Vector[] = [
  {
    name: 'the walk-through submits its objective; unknown and camelCase names are ignored',
    method: 'POST',
    path: '/meta-controller/api/v1/objective',
    body: '{"goal":"reduce_latency","target_metric":"latency_p95","intervention":"enable_caching","affected_metrics":["error_rate"],"strategy":"bold","requestId":"x"}',
    upstream: {
      rpc: submit,
      request: {
        goal: 'reduce_latency',
        targetMetric: 'latency_p95',
        intervention: 'enable_caching',
        affectedMetrics: ['error_rate'],
      },
      reply: { objectiveId: 'o1' },
    },
    status: 200,
    answerHeaders: { 'content-type': 'application/json', 'access-control-allow-origin': '*' },
    answer: '{"objective_id":"o1"}',
  },
  {
    name: 'plain fields and lists have their defaults, absent messages are left out, times are without zone and fraction',
    method: 'GET',
    path: '/meta-controller/api/v1/objectives/o1',
    upstream: {
      rpc: getObjective,
      request: { objectiveId: 'o1' },
      reply: { objective: { id: 'o1', createdAt: '2026-11-22T10:00:00.987Z' } },
    },
    status: 200,
    answer: `{"objective":{"id":"o1",${emptyObjective},"created_at":"2026-11-22T10:00:00","submitted_by":"","turn":0}}`,
  },
  {
    name: 'an empty reply has its empty list',
    method: 'GET',
    path: '/governor/api/v1/approvals',
    upstream: { rpc: listApprovals, request: {} },
    status: 200,
    answer: '{"approvals":[]}',
  },
  {
    name: 'the query gives numbers and enums by their snake_case names',
    method: 'GET',
    path: '/governor/api/v1/approvals?page_size=7&state=APPROVAL_STATE_PENDING&pageSize=9&other=1',
    upstream: { rpc: listApprovals, request: { pageSize: 7, state: 'APPROVAL_STATE_PENDING' } },
    status: 200,
    answer: '{"approvals":[]}',
  },
  {
    name: 'an enum may be given by its number',
    method: 'POST',
    path: '/meta-controller/api/v1/objective',
    body: '{"goal":"reduce_errors","autonomy":3}',
    upstream: { rpc: submit, request: { goal: 'reduce_errors', autonomy: 'AUTONOMY_APPROVE' } },
    status: 200,
    answer: '{"objective_id":""}',
  },
  {
    name: '64-bit integers are numbers',
    method: 'GET',
    path: '/knowledge-retriever/api/v1/statistics',
    upstream: { rpc: statistics, request: {}, reply: { documents: '3', revision: '9007199254740993' } },
    status: 200,
    answer: '{"documents":3,"passages":0,"entities":0,"mentions":0,"revision":9007199254740993}',
    kong: 'revision is 9.007199254741e+15',
  },
  {
    name: 'doubles have 14 significant digits',
    method: 'POST',
    path: '/orchestrator/query',
    body: '{"question":"why?"}',
    upstream: {
      rpc: query,
      request: { question: 'why?' },
      reply: {
        answer: 'so [1]',
        origin: 'ANSWER_ORIGIN_EXTRACTED',
        citations: [{ number: 1, score: 0.1 + 0.2 }],
      },
    },
    status: 200,
    answer:
      '{"answer":"so [1]","origin":"ANSWER_ORIGIN_EXTRACTED","citations":[{"number":1,"document_id":"","title":"","text":"","source":"","score":0.3,"passage_id":"","offset":0,"content_hash":""}]}',
  },
  {
    name: 'numbers may come as text and flags as true or false',
    method: 'POST',
    path: '/orchestrator/query',
    body: '{"question":"why?","limit":"3"}',
    upstream: { rpc: query, request: { question: 'why?', limit: 3 } },
    status: 200,
    answer: '{"answer":"","origin":"ANSWER_ORIGIN_UNSPECIFIED","citations":[]}',
  },
  {
    name: 'the path gives a field and the body the others',
    method: 'POST',
    path: '/governor/api/v1/approvals/a-1/decision',
    body: `{"digest":"${'0'.repeat(64)}","approve":true}`,
    upstream: { rpc: decide, request: { approvalId: 'a-1', digest: '0'.repeat(64), approve: true } },
    status: 200,
    answer: '{}',
  },
  {
    name: 'a field of the path has the last word over the body',
    method: 'POST',
    path: '/meta-controller/api/v1/objectives/mine/cancel',
    body: '{"objective_id":"yours","reason":"r"}',
    upstream: { rpc: cancelObjective, request: { objectiveId: 'mine', reason: 'r' } },
    status: 200,
    answer: '{}',
    kong: 'the body overrides the path: yours',
  },
  {
    name: 'a field of the path has the last word over the query',
    method: 'GET',
    path: '/meta-controller/api/v1/objectives/mine?objective_id=yours',
    upstream: { rpc: getObjective, request: { objectiveId: 'mine' } },
    status: 200,
    answer: '{}',
    kong: 'the query overrides the path: yours',
  },
  {
    name: 'escapes in the path stay as they are',
    method: 'GET',
    path: '/meta-controller/api/v1/objectives/a%20b%2Fc',
    upstream: { rpc: getObjective, request: { objectiveId: 'a%20b%2Fc' } },
    status: 200,
    answer: '{}',
  },
  {
    name: 'the path is normalised before it is matched',
    method: 'GET',
    path: '/meta-controller//api/./v1/x/../objectives/%6F1',
    upstream: { rpc: getObjective, request: { objectiveId: 'o1' } },
    status: 200,
    answer: '{}',
  },
  {
    name: 'an empty body is an empty message',
    method: 'POST',
    path: '/meta-controller/api/v1/objectives/o1/cancel',
    upstream: { rpc: cancelObjective, request: { objectiveId: 'o1' } },
    status: 200,
    answer: '{}',
  },
  {
    name: 'the content type does not matter',
    method: 'POST',
    path: '/orchestrator/populate',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: '{"documents":["día ☀ \\ud83d\\ude00"]}',
    upstream: {
      rpc: populate,
      request: { documents: ['día ☀ 😀'] },
      reply: { documentIds: ['é'], stored: 1 },
    },
    status: 200,
    answer: '{"document_ids":["é"],"stored":1,"unchanged":0}',
  },
  {
    name: '__proto__ and constructor are names like any other that the message does not have',
    method: 'POST',
    path: '/orchestrator/query',
    body: '{"question":"why?","__proto__":{"limit":9},"constructor":{"prototype":{"limit":9}}}',
    upstream: { rpc: query, request: { question: 'why?' } },
    status: 200,
    answer: '{"answer":"","origin":"ANSWER_ORIGIN_UNSPECIFIED","citations":[]}',
  },
]
