import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { featureNames } from '../../services/knowledge-retriever/features.ts'
import {
  type Ranker,
  type RankerStage,
  secondNames,
  standardised,
} from '../../services/knowledge-retriever/ranker.ts'
import { seededRandom } from '../../services/platform/statistics/random.ts'
import { type Example, examplesOf } from './examples.ts'
import { type Network, scoreRow, type TrainingQuestion, trainNetwork } from './network.ts'
import { readSets } from './sets.ts'

// Trains the ranker that is shipped: `node bench/retrieval/train.ts [seed]`. It reads `*.train.json.gz` alone and writes
// services/knowledge-retriever/ranker.json. The same data and seed give the same file.

const units = 8
const epochs = 10
const learningRate = 0.01
const decay = 0.3
/** Networks of a stage, and of each helper that scores the questions which it has not seen for the second stage to learn from. */
const networks = 8
const helperNetworks = 2
const folds = 3
/** Of a question's candidates the best by the untrained score; the rest is too easy to teach the first stage anything. */
const maxRows = 60
const digits = 4
const defaultSeed = 20_261_122
const output = path.join(import.meta.dirname, '../../services/knowledge-retriever/ranker.json')

interface Stage {
  readonly means: readonly number[]
  readonly spreads: readonly number[]
  readonly networks: readonly Network[]
}

function main(seed: number): void {
  const sets = readSets('train')
  const count = sets.reduce((sum, { questions }) => sum + questions.length, 0)
  const examples = examplesOf(sets)
  const first = train(examples.map(firstQuestion), networks, `${seed}/first`)
  const second = train(secondQuestions(examples, seed), networks, `${seed}/second`)
  const ranker: Ranker = {
    trained: `by bench/retrieval/train.ts with seed ${seed} on ${count} questions, each over its own passages, over all, and over all with namesakes, with titles and without`,
    first: stageOf(first, featureNames),
    second: stageOf(second, secondNames),
  }
  writeFileSync(output, readable(ranker))
  process.stdout.write(`${output}: ${ranker.trained}\n`)
}

function firstQuestion({ rows, gold, weight }: Example): TrainingQuestion {
  return { rows: rows.slice(0, maxRows), gold: gold.slice(0, maxRows), weight }
}

/** What the second stage learns from: candidates as a first stage puts them that has not seen their question. */
function secondQuestions(examples: readonly Example[], seed: number): TrainingQuestion[] {
  const ids = [...new Set(examples.map(({ id }) => id))]
  const foldOf = new Map(ids.map((id, index) => [id, index % folds]))
  return Array.from({ length: folds }, (_, fold) => fold).flatMap((fold) => {
    const seen = examples.filter(({ id }) => foldOf.get(id) !== fold)
    const helper = train(seen.map(firstQuestion), helperNetworks, `${seed}/helper ${fold}`)
    return examples
      .filter(({ id }) => foldOf.get(id) === fold)
      .map(({ rows, gold, weight, second }) => {
        const leading = second(Float64Array.from(rows, (row) => scoreBy(helper, row)))
        return {
          rows: leading.map(({ row }) => row),
          gold: leading.map(({ place }) => gold[place] === true),
          weight,
        }
      })
  })
}

function train(questions: readonly TrainingQuestion[], count: number, seed: string): Stage {
  const { means, spreads } = moments(questions.flatMap(({ rows }) => rows))
  const standard = questions
    .filter(({ gold }) => gold.includes(true))
    .map((question) => ({ ...question, rows: question.rows.map((row) => standardised(row, means, spreads)) }))
  const trained = Array.from({ length: count }, (_, index) => {
    const random = seededRandom(`${seed}/${index}`)
    return trainNetwork(standard, { units, epochs, learningRate, decay, random })
  })
  return { means, spreads, networks: trained }
}

function scoreBy({ means, spreads, networks: trained }: Stage, row: Float64Array): number {
  const standard = standardised(row, means, spreads)
  const active = new Float64Array(units)
  return trained.reduce((sum, network) => sum + scoreRow(network, standard, active), 0) / trained.length
}

function moments(rows: readonly Float64Array[]): { means: number[]; spreads: number[] } {
  const features = rows[0] ?? new Float64Array(0)
  const means = Array.from(features, (_, at) => rows.reduce((sum, row) => sum + row[at]!, 0) / rows.length)
  const spreads = means.map((mean, at) => {
    const variance = rows.reduce((sum, row) => sum + (row[at]! - mean) ** 2, 0) / rows.length
    return Math.sqrt(variance) || 1
  })
  return { means, spreads }
}

function stageOf({ means, spreads, networks: trained }: Stage, names: readonly string[]): RankerStage {
  return {
    features: names.map((name, at) => ({ name, mean: round(means[at]!), spread: round(spreads[at]!) })),
    networks: trained.map(({ linear, hidden, bias, out }) => ({
      linear: Array.from(linear, round),
      units: Array.from(bias, (value, unit) => ({
        hidden: Array.from(hidden.subarray(unit * linear.length, (unit + 1) * linear.length), round),
        bias: round(value),
        out: round(out[unit]!),
      })),
    })),
  }
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
