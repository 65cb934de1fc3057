import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { create } from 'tar'
import { accusationsIn, outcomesOf, questionsOf, windowSlotsOf } from './cases.ts'
import { readPetShop } from './petshop.ts'

let folder: string
let file: string

before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'nexus-rca-'))
  const write = (name: string, text: string) => {
    mkdirSync(path.join(folder, path.dirname(name)), { recursive: true })
    writeFileSync(path.join(folder, name), text)
  }
  const graph = ',shop,stock_remote\nshop,0.0,1.0\nstock_remote,0.0,0.0\n'
  write('some_traffic/graph.csv', graph)
  write('some_traffic/noissue/metrics.csv', metrics(120, 0.02))
  write('some_traffic/test/issue_0/metrics.csv', metrics(5, 0.08))
  const target = { target: { node: 'shop', metric: 'latency' }, root_cause: { node: 'stock_remote' } }
  write('some_traffic/test/issue_0/target.json', JSON.stringify(target))
  write('bare_traffic/graph.csv', graph)
  file = path.join(folder, 'petshop.tar.gz')
  await create({ gzip: true, file, cwd: folder }, ['./some_traffic', './bare_traffic'])
})

after(() => rmSync(folder, { recursive: true }))

/** The callee takes `stockSeconds`; in the second row it has neither requests nor latency. */
function metrics(rows: number, stockSeconds: number): string {
  const columns = ['requests,Sum', 'latency,Average', 'availability,Average'].flatMap((column) =>
    ['shop', 'stock_remote'].map((node) => [node, ...column.split(',')]),
  )
  const header = ['microservice', 'metric', 'statistic'].map((name, index) =>
    [name, ...columns.map((column) => column[index])].join(','),
  )
  const body = Array.from({ length: rows }, (_, row) => {
    const seconds = stockSeconds + (row % 3) / 1000
    const stock = row === 1 ? ['', '', ''] : ['100', String(seconds), '99']
    return [row * 300, 100, stock[0], seconds + 0.01, stock[1], 98, stock[2]].join(',')
  })
  return `${[...header, 'unix_timestamp,,,,,,', ...body].join('\n')}\n`
}

test('an archive is read by its traffics, and those without a normal period are named', async () => {
  const { traffics, without } = await readPetShop(file)
  assert.deepEqual(without, ['bare_traffic'])
  const [traffic] = traffics
  assert.equal(traffic?.name, 'some_traffic')
  assert.deepEqual(traffic?.normal.calls, [{ caller: 'shop', service: 'stock_remote' }])
  const [shop, stock] = traffic!.normal.services
  assert.equal(shop?.slots.length, 120)
  assert.deepEqual(stock?.slots[0], { requests: 100, requestSeconds: 2, failures: 1 })
  assert.deepEqual(stock?.slots[1], { requests: 0, requestSeconds: 0, failures: 0 })
  assert.equal(stock?.isProxy, true)
})

test('an issue is attributed, and the windows of the normal period are asked without having been learned', async () => {
  const { traffics } = await readPetShop(file)
  const [traffic] = traffics
  const [outcome] = outcomesOf(traffic!)
  assert.equal(outcome?.rank, 1)
  assert.equal(outcome?.culprit, 'stock_remote')
  assert.equal(windowSlotsOf(traffic!.issues), 5)
  const [question] = questionsOf(traffic!.issues)
  const { windows, accused } = accusationsIn(traffic!.normal, question!, 5)
  assert.equal(windows, 116)
  assert.equal(accused, 0)
})
