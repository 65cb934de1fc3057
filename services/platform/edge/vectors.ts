/** A request to the REST API and the exact answer to it. Data only: the same list can be put to a real Kong. */
export interface Vector {
  readonly name: string
  readonly method: string
  readonly path: string
  /** Besides the key, which every request has unless it is given here (empty: none). */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** The call that reaches the service, in protobuf's JSON, and what the service does; absent: no call reaches it. */
  readonly upstream?: {
    readonly rpc: string
    readonly request: object
    readonly reply?: object
    readonly error?: { readonly code: number; readonly message: string }
  }
  readonly status: number
  /** Headers that must be there with these values; others may be. */
  readonly answerHeaders?: Readonly<Record<string, string>>
  /** The exact body. */
  readonly answer: string
  /** Where Kong answers otherwise, and how. */
  readonly kong?: string
}

const submit = 'nexus.meta_controller.v1.MetaControllerService/SubmitObjective'
const getObjective = 'nexus.meta_controller.v1.MetaControllerService/GetObjective'
const cancelObjective = 'nexus.meta_controller.v1.MetaControllerService/CancelObjective'
const query = 'nexus.orchestrator.v1.OrchestratorService/Query'
const populate = 'nexus.orchestrator.v1.OrchestratorService/Populate'
const listApprovals = 'nexus.governor.v1.GovernorService/ListApprovals'
const decide = 'nexus.governor.v1.GovernorService/DecideApproval'
const statistics = 'nexus.knowledge_retriever.v1.KnowledgeRetrieverService/GetStatistics'
const bodyIsEmpty = 'the body is empty; status and grpc headers are the same'
const plainText = '400 with a plain text'

const emptyObjective =
  '"goal":"","target_metric":"","intervention":"","affected_metrics":[],"target":"","autonomy":"AUTONOMY_UNSPECIFIED","state":"OBJECTIVE_STATE_UNSPECIFIED","stage":"STAGE_UNSPECIFIED","reason":"","change_id":"","commit":"","approval_id":""'

const mapping: Vector[] = [
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
    answerHeaders: { 'content-type': 'application/json; charset=utf-8', 'access-control-allow-origin': '*' },
    answer: '{"objective_id":"o1"}',
    kong: 'content-type without charset',
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
      '{"answer":"so [1]","origin":"ANSWER_ORIGIN_EXTRACTED","citations":[{"number":1,"document_id":"","title":"","text":"","source":"","score":0.3}]}',
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

function fault(code: string, message: string, field?: string): string {
  const description = field === undefined ? '' : message.slice(field.length + 2)
  return JSON.stringify({
    error: { code, message, fields: field === undefined ? [] : [{ field, description }] },
  })
}

function refused(name: string, path: string, body: string, message: string, field?: string): Vector {
  const answer = fault('INVALID_ARGUMENT', message, field)
  const answerHeaders = { 'grpc-status': '3', 'grpc-message': message }
  return { name, method: 'POST', path, body, status: 400, answerHeaders, answer, kong: plainText }
}

const badValues: Vector[] = [
  refused('a number for text', '/orchestrator/query', '{"question":7}', 'question: must be text', 'question'),
  refused('null', '/orchestrator/query', '{"question":null}', 'question: must be text', 'question'),
  refused(
    'text for a list',
    '/orchestrator/populate',
    '{"documents":"a"}',
    'documents: must be a list',
    'documents',
  ),
  refused(
    'a number in a list of texts',
    '/orchestrator/populate',
    '{"documents":["a",2]}',
    'documents[1]: must be text',
    'documents[1]',
  ),
  refused(
    'a fraction for an integer',
    '/orchestrator/query',
    '{"question":"q","limit":1.5}',
    'limit: must be a whole number',
    'limit',
  ),
  refused(
    'an integer out of range',
    '/orchestrator/query',
    '{"question":"q","limit":-1}',
    'limit: must be from 0 to 4294967295',
    'limit',
  ),
  refused(
    'text for a flag',
    '/governor/api/v1/approvals/a/decision',
    '{"approve":"yes"}',
    'approve: must be true or false',
    'approve',
  ),
  refused(
    'an unknown word of an enum',
    '/meta-controller/api/v1/objective',
    '{"goal":"reduce_errors","autonomy":"FULL"}',
    'autonomy: must be one of AUTONOMY_UNSPECIFIED, AUTONOMY_OBSERVE, AUTONOMY_PROPOSE, AUTONOMY_APPROVE, AUTONOMY_AUTO',
    'autonomy',
  ),
  refused(
    'half of a surrogate pair',
    '/orchestrator/query',
    '{"question":"\\ud800"}',
    'question: has half of a surrogate pair, which is not a character',
    'question',
  ),
  refused('a list for the body', '/orchestrator/query', '[]', 'the body must be a JSON object'),
  refused('text for the body', '/orchestrator/query', '"q"', 'the body must be a JSON object'),
  {
    name: 'a query that gives one field twice',
    method: 'GET',
    path: '/governor/api/v1/approvals?page_size=1&page_size=2',
    status: 400,
    answer: fault('INVALID_ARGUMENT', 'page_size: is given more than once', 'page_size'),
    kong: plainText,
  },
  {
    name: 'a query with a word for a number',
    method: 'GET',
    path: '/governor/api/v1/approvals?page_size=many',
    status: 400,
    answer: fault('INVALID_ARGUMENT', 'page_size: must be a whole number', 'page_size'),
    kong: plainText,
  },
  {
    name: 'a value that breaks a rule of the contract is named',
    method: 'POST',
    path: '/orchestrator/query',
    body: '{"question":"q","limit":21}',
    status: 400,
    answerHeaders: { 'grpc-status': '3', 'grpc-message': 'limit: must be less than or equal to 20' },
    answer: fault('INVALID_ARGUMENT', 'limit: must be less than or equal to 20', 'limit'),
    kong: bodyIsEmpty,
  },
  {
    name: 'a path that no RPC has',
    method: 'POST',
    path: '/orchestrator/forget',
    status: 400,
    answer: fault('INVALID_ARGUMENT', 'there is no POST /orchestrator/forget; GET / lists what there is'),
    kong: plainText,
  },
  {
    name: 'a method that the path does not have',
    method: 'PUT',
    path: '/orchestrator/query',
    status: 400,
    answer: fault('INVALID_ARGUMENT', 'there is no PUT /orchestrator/query; GET / lists what there is'),
    kong: plainText,
  },
]

const errors: Vector[] = (
  [
    [1, 499, 'CANCELED'],
    [2, 500, 'UNKNOWN'],
    [3, 400, 'INVALID_ARGUMENT'],
    [4, 504, 'DEADLINE_EXCEEDED'],
    [5, 404, 'NOT_FOUND'],
    [6, 409, 'ALREADY_EXISTS'],
    [7, 403, 'PERMISSION_DENIED'],
    [8, 429, 'RESOURCE_EXHAUSTED'],
    [9, 400, 'FAILED_PRECONDITION'],
    [10, 409, 'ABORTED'],
    [11, 400, 'OUT_OF_RANGE'],
    [12, 500, 'UNIMPLEMENTED'],
    [13, 500, 'INTERNAL'],
    [14, 503, 'UNAVAILABLE'],
    [15, 500, 'DATA_LOSS'],
    [16, 401, 'UNAUTHENTICATED'],
  ] as const
).map(([code, status, name]) => ({
  name: `a service's ${name} is ${status}`,
  method: 'GET',
  path: '/meta-controller/api/v1/objectives/o1',
  upstream: { rpc: getObjective, request: { objectiveId: 'o1' }, error: { code, message: '100 % nö' } },
  status,
  answerHeaders: { 'grpc-status': String(code), 'grpc-message': '100 %25 n%C3%B6' },
  answer: fault(name, '100 % nö'),
  kong: bodyIsEmpty,
}))

const gates: Vector[] = [
  {
    name: 'no key',
    method: 'POST',
    path: '/orchestrator/query',
    headers: { apikey: '' },
    status: 401,
    answerHeaders: { 'www-authenticate': 'Key' },
    answer: '{"message":"No API key found in request"}',
  },
  {
    name: 'a wrong key',
    method: 'POST',
    path: '/orchestrator/query',
    headers: { apikey: 'wrong' },
    status: 401,
    answerHeaders: { 'www-authenticate': 'Key' },
    answer: '{"message":"Unauthorized"}',
  },
  {
    name: 'a key in the query does not count',
    method: 'GET',
    path: '/governor/api/v1/approvals?apikey=sesame',
    headers: { apikey: '' },
    status: 401,
    answer: '{"message":"No API key found in request"}',
  },
  {
    name: 'the key is asked for before the path is looked up',
    method: 'POST',
    path: '/orchestrator/forget',
    headers: { apikey: '' },
    status: 401,
    answer: '{"message":"No API key found in request"}',
  },
  {
    name: 'a prefix that no service has needs no key to be refused',
    method: 'GET',
    path: '/wp-admin',
    headers: { apikey: '' },
    status: 404,
    answer: '{"message":"no Route matched with those values"}',
  },
  {
    name: 'a preflight request is answered without a key',
    method: 'OPTIONS',
    path: '/orchestrator/query',
    headers: { apikey: '' },
    status: 200,
    answerHeaders: {
      'access-control-allow-methods': 'GET,POST,PATCH,DELETE',
      'access-control-allow-headers': 'content-type',
    },
    answer: '"OK"',
    kong: 'the body is OK without quotes',
  },
]

/** All vectors. Where the edge differs from Kong, `kong` says how. */
export const vectors: readonly Vector[] = [...mapping, ...badValues, ...errors, ...gates]
