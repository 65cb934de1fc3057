import type { Vector } from './vector.testing.ts'

const getObjective = 'nexus.meta_controller.v1.MetaControllerService/GetObjective'
const bodyIsEmpty = 'the body is empty; status and grpc headers are the same'
const plainText = '400 with a plain text'

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

/** What is refused, by the gates before a service or by the service itself. */
export const refusals: readonly Vector[] = [...badValues, ...errors, ...gates]
