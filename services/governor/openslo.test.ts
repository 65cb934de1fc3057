import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { parse, stringify } from 'yaml'
import { parseObjectives } from './openslo.ts'
import { sloDocument } from './testing.ts'

test('an availability SLO is understood from its query', () => {
  const [objective] = parseObjectives([sloDocument()])
  assert.deepEqual(objective, {
    name: 'storefront-availability',
    indicator: {
      kind: 'availability',
      service: 'storefront',
      namespace: undefined,
      method: undefined,
      goodStatuses: [0],
    },
    target: 0.99,
    windowS: 3600,
  })
})

test('a latency SLO is understood from the bucket of its query, also as JSON', () => {
  const document = sloDocument({
    name: 'p95',
    good: 'sum(rate(istio_request_duration_milliseconds_bucket{reporter="destination", destination_service_name="shop", le="250"}[5m]))',
    total:
      'sum(rate(istio_request_duration_milliseconds_count{destination_service_name="shop",reporter="destination",}[5m]))',
    objective: { targetPercent: 95 },
    duration: '30d',
  })
  const [objective] = parseObjectives([JSON.stringify(parse(document))])
  assert.equal(objective?.target, 0.95)
  assert.equal(objective?.windowS, 2_592_000)
  assert.deepEqual(objective?.indicator, {
    kind: 'latency',
    service: 'shop',
    namespace: undefined,
    method: undefined,
    thresholdMs: 250,
  })
})

test('the SLOs of the storefront are understood', () => {
  const file = path.join(import.meta.dirname, '../../examples/storefront/nexus.yaml')
  const { slos } = parse(readFileSync(file, 'utf8')) as { slos: object[] }
  const objectives = parseObjectives(slos.map((slo) => stringify(slo)))
  assert.deepEqual(new Set(objectives.map(({ indicator }) => indicator.service)), new Set(['storefront']))
})

const wrong: readonly { name: string; document: string; message: RegExp }[] = [
  { name: 'not YAML', document: 'a: [', message: /^document 1: / },
  {
    name: 'two documents in one',
    document: '---\na: 1\n---\nb: 1\n',
    message: /document 1: it must hold exactly one document/,
  },
  {
    name: 'a duplicate key',
    document: 'kind: SLO\nkind: SLO\n',
    message: /document 1: Map keys must be unique/,
  },
  { name: 'a list', document: '- 1', message: /document 1: the whole: / },
  { name: 'an empty one', document: '# nothing', message: /document 1: / },
  {
    name: 'another version',
    document: sloDocument().replace('openslo/v1', 'openslo/v2alpha'),
    message: /document 1 \(storefront-availability\): apiVersion: /,
  },
  {
    name: 'another kind',
    document: sloDocument().replace('kind: SLO', 'kind: Service'),
    message: /kind: must be SLO/,
  },
  {
    name: 'an unknown key',
    document: sloDocument().replace('  budgetingMethod', '  budget: 1\n  budgetingMethod'),
    message: /spec: Unrecognized key: "budget"/,
  },
  {
    name: 'time slices',
    document: sloDocument().replace('Occurrences', 'Timeslices'),
    message: /spec\.budgetingMethod: must be Occurrences/,
  },
  {
    name: 'a calendar window',
    document: sloDocument().replace('isRolling: true', 'isRolling: false'),
    message: /spec\.timeWindow\[0\]\.isRolling: must be true/,
  },
  {
    name: 'a window of no length',
    document: sloDocument({ duration: '0d' }),
    message: /spec\.timeWindow\[0\]\.duration: 0d must be such as 30d/,
  },
  { name: 'a window of two years', document: sloDocument({ duration: '2Y' }), message: /a year at most/ },
  {
    name: 'a target of 1',
    document: sloDocument({ objective: { target: 1 } }),
    message: /spec\.objectives\[0\]\.target: /,
  },
  {
    name: 'a target and a percentage',
    document: sloDocument({ objective: { target: 0.9, targetPercent: 90 } }),
    message: /give either target or targetPercent/,
  },
  {
    name: 'no target',
    document: sloDocument({ objective: {} }),
    message: /give either target or targetPercent/,
  },
  {
    name: 'another source',
    document: sloDocument().replaceAll('type: Prometheus', 'type: Datadog'),
    message: /good\.metricSource\.type: must be Prometheus/,
  },
  {
    name: 'no counter',
    document: sloDocument().replace('counter: true', 'counter: false'),
    message: /ratioMetric\.counter: must be true/,
  },
  {
    name: 'a query that is not understood',
    document: sloDocument({ good: 'histogram_quantile(0.95, x)' }),
    message: /ratioMetric\.good\.metricSource\.spec\.query: /,
  },
]

for (const { name, document, message } of wrong) {
  test(`refused, naming document and field: ${name}`, () => {
    assert.throws(() => parseObjectives([document]), { name: 'OpenSloError', message })
  })
}

test('the document that is wrong is named, not the one before', () => {
  const documents = [sloDocument({ name: 'a' }), sloDocument({ name: 'b', duration: '1x' })]
  assert.throws(
    () => parseObjectives(documents),
    /^OpenSloError: document 2 \(b\): spec\.timeWindow\[0\]\.duration/,
  )
})

test('two SLOs of one name are refused', () => {
  assert.throws(
    () => parseObjectives([sloDocument(), sloDocument()]),
    /two documents have this metadata\.name/,
  )
})

test('a document of aliases that grows without end is refused', () => {
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    'b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]',
    'c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]',
    'd: [*c,*c,*c]',
  ].join('\n')
  assert.throws(() => parseObjectives([bomb]), { name: 'OpenSloError' })
})
