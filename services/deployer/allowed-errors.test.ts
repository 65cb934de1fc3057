import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { readManifest } from '../platform/target/manifest.ts'
import { allowedErrorShare } from './allowed-errors.ts'

const least = 'name: shop\nservices: [{name: shop}]\ncommands: {test: [a], start: [b]}\n'
const slo = (query: string, target: number) =>
  `{spec: {indicator: {spec: {ratioMetric: {good: {metricSource: {spec: {query: '${query}'}}}}}}, objectives: [{target: ${target}}]}}`

test('a canary may fail what the strictest availability SLO allows', () => {
  const status = 'sum(istio_requests_total{grpc_response_status="0"})'
  const manifest = readManifest(
    `${least}slos: [${slo(status, 0.99)}, ${slo(status, 0.995)}, ${slo('latency', 0.9)}]`,
  )
  assert.ok(Math.abs(allowedErrorShare(manifest) - 0.005) < 1e-12)
})

test('error_tolerance says otherwise, and without both it is one percent', () => {
  assert.equal(allowedErrorShare(readManifest(`${least}rollout: {error_tolerance: 0.03}`)), 0.03)
  assert.equal(allowedErrorShare(readManifest(least)), 0.01)
  assert.equal(allowedErrorShare(readManifest(`${least}slos: [{spec: {objectives: none}}]`)), 0.01)
})

test('the storefront may fail one request in a hundred', async () => {
  const file = new URL('../../examples/storefront/nexus.yaml', import.meta.url)
  const share = allowedErrorShare(readManifest(await readFile(file, 'utf8')))
  assert.ok(Math.abs(share - 0.01) < 1e-12)
})
