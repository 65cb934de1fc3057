import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { ridge } from '../../services/meta-controller/analysis/causal/ridge.ts'
import { meanOf } from '../../services/platform/statistics/order.ts'
import { normalVariate, seededRandom } from '../../services/platform/statistics/random.ts'
import { runFile } from './file.ts'
import { measure } from './measure.ts'
import { readInfants, surfaceA, surfaceB } from './surfaces.ts'
import { parseObservations } from './table.ts'
import { hiddenWorld } from './worlds.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'nexus-causal-'))
const header =
  'treat,bw,b.head,preterm,birth.o,nnhealth,momage,sex,twin,b.marr,mom.lths,mom.hs,mom.scoll,cig,first,booze,drugs,work.dur,prenatal,site1,site2,site3,site4,site5,site6,site7,momwhite'

/** A file of the layout of sim.csv, with covariates drawn at random. */
function infantsFile(rows: number): string {
  const random = seededRandom(1)
  const lines = Array.from({ length: rows }, () => {
    const numbers = Array.from({ length: 6 }, () => (10 * normalVariate(random)).toFixed(3))
    const flags = Array.from({ length: 20 }, () => Number(random() < 0.4))
    return [Number(random() < 0.4), ...numbers, ...flags].join(',')
  })
  const file = path.join(folder, `sim-${rows}.csv`)
  writeFileSync(file, [header, ...lines].join('\n'))
  return file
}

test('infants are read as the published generator reads them', () => {
  const { x, treated } = readInfants(infantsFile(400))
  assert.ok(x.rows < 400 && x.rows > 250, 'treated children of mothers who are not white are left out')
  assert.equal(x.columns, 26)
  const column = (index: number) => Array.from({ length: x.rows }, (_, row) => x.data[row * 26 + index]!)
  assert.ok(column(0).every((value) => value === 1))
  assert.ok(Math.abs(meanOf(column(1))) < 1e-9)
  assert.deepEqual(new Set(column(14)), new Set([1, 2]))
  assert.deepEqual(new Set(treated), new Set([0, 1]))
})

test('on surface A the effect is 4 for all, on surface B 4 on average for the treated', () => {
  const infants = readInfants(infantsFile(400))
  const a = surfaceA(infants, seededRandom(1))
  assert.ok(a.treatedMean.every((value, row) => Math.abs(value - a.untreatedMean[row]! - 4) < 1e-9))
  const b = surfaceB(infants, seededRandom(1))
  const effects = b.treatedMean.map((value, row) => value - b.untreatedMean[row]!)
  assert.ok(Math.abs(meanOf(effects.filter((_, row) => b.treated[row] === 1)) - 4) < 1e-9)
  assert.ok(Math.abs(measure(a, [ridge], 1).error) < 0.6)
})

test('worlds are as they say: the hidden cause biases the planted ones only', () => {
  const infants = readInfants(infantsFile(400))
  const naive = (isPlanted: boolean, index: number) => {
    const world = hiddenWorld({ index, isPlanted, range: [2, 2] }, infants, seededRandom(index))
    const before = (arm: number) => meanOf(world.before[0]!.filter((_, row) => world.treated[row] === arm))
    assert.equal(world.covariates.length, world.y.length)
    assert.equal(world.isPlanted, isPlanted)
    return before(1) - before(0)
  }
  assert.ok(meanOf(Array.from({ length: 18 }, (_, index) => naive(true, index))) > 1)
})

/** y = 2t + x1 + noise. */
function table(rows: number, change: (cells: string[], row: number) => string[] = (cells) => cells): string {
  const random = seededRandom(2)
  const lines = Array.from({ length: rows }, (_, row) => {
    const x = normalVariate(random)
    const t = Number(random() < 0.5)
    const y = 2 * t + x + normalVariate(random)
    return change([String(t), y.toFixed(4), x.toFixed(4), x.toFixed(4), (x + 2).toFixed(4)], row).join(',')
  })
  return ['t,y,x1,mu0,mu1', ...lines].join('\n')
}

function runText(text: string) {
  const file = path.join(folder, 'table.csv')
  writeFileSync(file, text)
  const lines: string[] = []
  const figures = runFile(file, (line) => void lines.push(line))
  return { figures, printed: lines.join('\n') }
}

test('a file gives its effect, with the error where the truth is in it', () => {
  const { figures, printed } = runText(table(150))
  assert.ok(Math.abs(figures.ate! - 2) < 0.6)
  assert.ok(figures.ate_low! < figures.ate! && figures.ate! < figures.ate_high!)
  assert.ok(figures.ate_error! < 0.6 && figures.pehe! < 1 && [0, 1].includes(figures.coverage!))
  for (const word of ['overlap', 'placebo', 'E-value', 'robustness value', 'policy'])
    assert.match(printed, new RegExp(word))
})

test('rows that give no estimate are refused in words', () => {
  const { figures, printed } = runText(table(150, (cells) => ['1', ...cells.slice(1)]))
  assert.deepEqual(figures, { refused: 1 })
  assert.match(printed, /all rows were treated/)
})

test('a malformed file is told by line and column', () => {
  const cases: [RegExp, string][] = [
    [/f, line 1: there is no column y/, 't,x1\n1,2'],
    [/f, line 1, column 3: "z" is none of/, 't,y,z\n1,2,3'],
    [/f, line 1, column 3: "y" is there twice/, 't,y,y\n1,2,3'],
    [/f, line 1: mu0 and mu1 come together/, 't,y,mu0\n1,2,3'],
    [/f, line 3: 2 values where the header has 3/, 't,y,x1\n1,2,3\n1,2'],
    [/f, line 2, column 3 \(x1\): "abc" is not a finite number/, 't,y,x1\n1,2,abc'],
    [/f, line 2, column 2 \(y\): "" is not a finite number/, 't,y,x1\n1,,3'],
    [/f, line 2, column 2 \(y\): "NaN" is not/, 't,y,x1\n1,NaN,3'],
    [/f, line 2, column 1 \(t\): "2" is neither 0 nor 1/, 't,y,x1\n2,1,3'],
    [/f, line 1, column 1: "" is none of/, ''],
  ]
  for (const [message, text] of cases) assert.throws(() => parseObservations(text, 'f'), { message })
})

test('columns of outcomes before the treatment, propensity and block are read', () => {
  const read = parseObservations('t,y,x1,pre1,pre2,e,block\n1,2,3,4,5,0.5,7\n0,1,1,1,1,0.5,8\r\n', 'f')
  assert.deepEqual(read.controlOutcomes, [
    [4, 1],
    [5, 1],
  ])
  assert.deepEqual(
    [read.propensity, read.blocks],
    [
      [0.5, 0.5],
      [7, 8],
    ],
  )
})
