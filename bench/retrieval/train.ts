import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { featureNames } from '../../services/knowledge-retriever/features.ts'
import type { Ranker } from '../../services/knowledge-retriever/ranker.ts'
import { seededRandom } from '../../services/platform/statistics/random.ts'
import { examplesOf } from './examples.ts'
import { trainNetwork } from './network.ts'
import { joinedSets, readSets } from './sets.ts'

// Trains the ranker that is shipped: `node bench/retrieval/train.ts [seed]`. It reads `*.train.json.gz` alone, with titles
// and without, and writes services/knowledge-retriever/ranker.json. The same data and seed give the same file.

const networks = 4
const units = 8
const epochs = 20
const learningRate = 0.01
const decay = 0.03
const digits = 4
const defaultSeed = 20_261_122
const output = path.join(import.meta.dirname, '../../services/knowledge-retriever/ranker.json')

function main(seed: number): void {
  const joined = joinedSets(readSets('train'))
  const examples = [true, false].flatMap((hasTitles) => examplesOf(joined, hasTitles))
  const { means, spreads } = moments(examples.flatMap(({ rows }) => rows))
  const standardised = examples.map((example) => ({
    ...example,
    rows: example.rows.map((row) => row.map((value, at) => (value - means[at]!) / spreads[at]!)),
  }))
  const trained = Array.from({ length: networks }, (_, index) => {
    const random = seededRandom(`${seed}/${index}`)
    return trainNetwork(standardised, { units, epochs, learningRate, decay, random })
  })
  const ranker: Ranker = {
    trained: `by bench/retrieval/train.ts with seed ${seed} on ${joined.questions.length} questions, with titles and without`,
    features: featureNames.map((name, at) => ({
      name,
      mean: round(means[at]!),
      spread: round(spreads[at]!),
    })),
    networks: trained.map(({ linear, hidden, bias, out }) => ({
      linear: Array.from(linear, round),
      units: Array.from(bias, (value, unit) => ({
        hidden: Array.from(hidden.subarray(unit * linear.length, (unit + 1) * linear.length), round),
        bias: round(value),
        out: round(out[unit]!),
      })),
    })),
  }
  writeFileSync(output, readable(ranker))
  process.stdout.write(`${output}: ${ranker.trained}\n`)
}

function moments(rows: readonly Float64Array[]): { means: number[]; spreads: number[] } {
  const means = featureNames.map((_, at) => rows.reduce((sum, row) => sum + row[at]!, 0) / rows.length)
  const spreads = means.map((mean, at) => {
    const variance = rows.reduce((sum, row) => sum + (row[at]! - mean) ** 2, 0) / rows.length
    return Math.sqrt(variance) || 1
  })
  return { means, spreads }
}

function round(value: number): number {
  return Number(value.toPrecision(digits))
}

/** JSON with a line for each list of numbers and each feature. */
function readable(ranker: Ranker): string {
  const text = JSON.stringify(ranker, null, 1)
  const lists = text.replace(/\[[\s\d.,e+-]+\]/g, (list) => list.replace(/\s+/g, ' '))
  return `${lists.replace(/\{\s+("name"[^}]+?)\s+\}/g, (_, inner: string) => `{ ${inner.replace(/\s+/g, ' ')} }`)}\n`
}

main(Number(process.argv[2] ?? defaultSeed))
