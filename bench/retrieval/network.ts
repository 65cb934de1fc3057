import { normalVariate, type Random, shuffled } from '../../services/platform/statistics/random.ts'

/** The candidates of one question: their features row by row, and which of them are wanted. */
export interface TrainingQuestion {
  readonly rows: readonly Float64Array[]
  readonly gold: readonly boolean[]
  readonly weight: number
}

/** A score is `linear·x + Σ out[u]·tanh(hidden[u]·x + bias[u])` of standardised features. */
export interface Network {
  readonly linear: Float64Array
  readonly hidden: Float64Array
  readonly bias: Float64Array
  readonly out: Float64Array
}

export interface TrainingOptions {
  readonly units: number
  readonly epochs: number
  readonly learningRate: number
  readonly decay: number
  readonly random: Random
}

const batchSize = 16
const firstDecay = 0.9
const secondDecay = 0.999

/** All parameters in one array, in the order linear, hidden, bias, out. */
function initial(features: number, units: number, random: Random): Float64Array {
  const parameters = new Float64Array(features + units * (features + 2))
  for (let at = features; at < parameters.length; at += 1) {
    parameters[at] =
      normalVariate(random) * (at < features + units * features ? 1 / Math.sqrt(features) : 0.1)
  }
  return parameters
}

/** Views of the parts of the parameters. */
function networkOf(parameters: Float64Array, features: number, units: number): Network {
  const hidden = features + units * features
  return {
    linear: parameters.subarray(0, features),
    hidden: parameters.subarray(features, hidden),
    bias: parameters.subarray(hidden, hidden + units),
    out: parameters.subarray(hidden + units),
  }
}

/**
 * Trains a ranker by AdamW (Loshchilov and Hutter 2019) with a cosine schedule, some questions at a time. The loss of a
 * question is the mean over its wanted candidates of softplus(logsumexp(unwanted) − own score). Features are standardised.
 */
export function trainNetwork(questions: readonly TrainingQuestion[], options: TrainingOptions): Network {
  const features = questions[0]?.rows[0]?.length ?? 0
  const parameters = initial(features, options.units, options.random)
  const gradient = new Float64Array(parameters.length)
  const network = networkOf(parameters, features, options.units)
  const slope = networkOf(gradient, features, options.units)
  const adam = new AdamW(parameters, options.decay)
  const steps = options.epochs * Math.ceil(questions.length / batchSize)
  for (let epoch = 0; epoch < options.epochs; epoch += 1) {
    const order = shuffled(questions, options.random)
    for (let from = 0; from < order.length; from += batchSize) {
      gradient.fill(0)
      for (const question of order.slice(from, from + batchSize)) {
        descend(question, network, slope, question.weight / batchSize)
      }
      adam.step(gradient, (options.learningRate * (1 + Math.cos((Math.PI * adam.steps) / steps))) / 2)
    }
  }
  return network
}

class AdamW {
  readonly #parameters: Float64Array
  readonly #decay: number
  readonly #first: Float64Array
  readonly #second: Float64Array
  steps = 0

  constructor(parameters: Float64Array, decay: number) {
    this.#parameters = parameters
    this.#decay = decay
    this.#first = new Float64Array(parameters.length)
    this.#second = new Float64Array(parameters.length)
  }

  step(gradient: Float64Array, rate: number): void {
    this.steps += 1
    const [parameters, first, second] = [this.#parameters, this.#first, this.#second]
    const firstPart = 1 - firstDecay ** this.steps
    const secondPart = 1 - secondDecay ** this.steps
    for (let at = 0; at < parameters.length; at += 1) {
      const slope = gradient[at] as number
      first[at] = firstDecay * (first[at] as number) + (1 - firstDecay) * slope
      second[at] = secondDecay * (second[at] as number) + (1 - secondDecay) * slope * slope
      const spread = Math.sqrt((second[at] as number) / secondPart) + 1e-8
      const kept = (parameters[at] as number) * (1 - rate * this.#decay)
      parameters[at] = kept - (rate * (first[at] as number)) / firstPart / spread
    }
  }
}

/** Adds the gradient of one question's loss. */
function descend(question: TrainingQuestion, network: Network, slope: Network, weight: number): void {
  const { rows, gold } = question
  const units = network.bias.length
  const activations = rows.map(() => new Float64Array(units))
  const scores = rows.map((row, index) => scoreRow(network, row, activations[index] as Float64Array))
  const errors = errorsOf(scores, gold)
  rows.forEach((row, index) => {
    const error = (errors[index] as number) * weight
    if (Math.abs(error) < 1e-9) return
    const active = activations[index] as Float64Array
    const { linear, hidden, bias, out } = slope
    for (let at = 0; at < row.length; at += 1)
      linear[at] = (linear[at] as number) + error * (row[at] as number)
    for (let unit = 0; unit < units; unit += 1) {
      const value = active[unit] as number
      out[unit] = (out[unit] as number) + error * value
      const inner = error * (network.out[unit] as number) * (1 - value * value)
      bias[unit] = (bias[unit] as number) + inner
      const from = unit * row.length
      for (let at = 0; at < row.length; at += 1) {
        hidden[from + at] = (hidden[from + at] as number) + inner * (row[at] as number)
      }
    }
  })
}

/** The score of a row; the units' values are left in `active`. */
export function scoreRow(network: Network, row: Float64Array, active: Float64Array): number {
  let score = 0
  for (let at = 0; at < row.length; at += 1) score += (network.linear[at] as number) * (row[at] as number)
  for (let unit = 0; unit < active.length; unit += 1) {
    let inner = network.bias[unit] as number
    const from = unit * row.length
    for (let at = 0; at < row.length; at += 1)
      inner += (network.hidden[from + at] as number) * (row[at] as number)
    const value = Math.tanh(inner)
    active[unit] = value
    score += (network.out[unit] as number) * value
  }
  return score
}

/** The derivative of the question's loss by each score. */
function errorsOf(scores: readonly number[], gold: readonly boolean[]): Float64Array {
  const errors = new Float64Array(scores.length)
  const golds = gold.filter(Boolean).length
  if (golds === 0 || golds === scores.length) return errors
  let top = Number.NEGATIVE_INFINITY
  scores.forEach((score, index) => {
    if (gold[index] !== true) top = Math.max(top, score)
  })
  let sum = 0
  scores.forEach((score, index) => {
    if (gold[index] !== true) sum += Math.exp(score - top)
  })
  const unwanted = top + Math.log(sum)
  let pull = 0
  scores.forEach((score, index) => {
    if (gold[index] !== true) return
    const error = 1 / (1 + Math.exp(score - unwanted)) / golds
    errors[index] = -error
    pull += error
  })
  scores.forEach((score, index) => {
    if (gold[index] !== true) errors[index] = (pull * Math.exp(score - top)) / sum
  })
  return errors
}
