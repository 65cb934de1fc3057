import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EchoService } from '../../gen/nexus/echo/v1/echo_service_pb.ts'
import { ExecutionSandboxService } from '../../gen/nexus/execution_sandbox/v1/execution_sandbox_service_pb.ts'
import { testedServices } from './edge.testing.ts'
import { matchRoute, normalisePath, routesOf } from './routes.ts'

test('a path matches as a whole, and a variable is one segment', () => {
  const routes = routesOf(testedServices)
  const at = (path: string) => matchRoute(routes, 'GET', path)
  const found = at('/meta-controller/api/v1/objectives/o1/journal')
  assert.ok(found.kind === 'route')
  assert.equal(found.route.rpc.name, 'ExportJournal')
  assert.deepEqual([...found.variables], [['objective_id', 'o1']])
  assert.equal(at('/meta-controller/api/v1/objectives/a/b/journal').kind, 'unknown-path')
  assert.equal(at('/meta-controller/api/v1/objectives/o1/journal/').kind, 'unknown-path')
  assert.equal(at('/x/meta-controller/api/v1/objectives').kind, 'unknown-prefix')
  assert.equal(matchRoute(routes, 'POST', '/meta-controller/api/v1/objectives').kind, 'unknown-path')
})

test('a path is normalised as RFC 3986 has it', () => {
  const table = [
    ['/', '/'],
    ['/a/../b/./c', '/b/c'],
    ['//a///b', '/a/b'],
    ['/../../a', '/a'],
    ['/%61%7e%2F%20%C3%BC', '/a~%2F%20%C3%BC'],
    ['/a%2e%2e/b', '/a../b'],
    ['/a/%2e%2e/b', '/b'],
    ['//evil.example/a', '/evil.example/a'],
    ['/a\\b', '/a/b'],
  ]
  for (const [path = '', normal] of table) assert.equal(normalisePath(path), normal)
})

test('services without google.api.http have no routes', () => {
  assert.deepEqual(routesOf([EchoService, ExecutionSandboxService]), [])
})
