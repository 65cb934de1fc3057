import type { Passage } from '../gen/nexus/knowledge_retriever/v1/knowledge_pb.ts'
import { type Asked, readQuestion, reasonStem, type Sentence, sentencesOf } from './question.ts'

/** A text with citations such as [1], and the passages that it cites, in the order of their numbers. */
export interface CitedText {
  readonly text: string
  readonly cited: readonly Passage[]
}

interface Candidate extends Sentence {
  /** Stems of the passage's title: what each of its sentences is about, though it may say `it`. */
  readonly topic: ReadonlySet<string>
  /** Stems of the passage around the sentence. */
  readonly around: ReadonlySet<string>
  /** Index of its passage among those found. */
  readonly rank: number
  /** Its place in the passage. */
  readonly place: number
}

const maxSentences = 3
const maxSentenceChars = 600
/** What a stem counts that is not in the sentence but in the passage around it. */
const aroundShare = 0.5
/** A further sentence has to cover at least this share of the question anew. */
const minGain = 0.15
/** An answer covers at least this share of what is asked. */
const minSupport = 0.5

/**
 * Answers with the sentences that cover most of what is asked, in the order of their passages, each with its citation.
 * Undefined when they do not support an answer: too little is covered, or none of the names that are asked about.
 */
export function extractAnswer(question: string, passages: readonly Passage[]): CitedText | undefined {
  const candidates = passages.flatMap(candidatesOf)
  const asked = readQuestion(question, candidates)
  const chosen = choose(candidates, asked)
  if (!isSupported(chosen, asked)) return undefined
  chosen.sort((left, right) => left.rank - right.rank || left.place - right.place)
  const cited = [...new Set(chosen.map(({ rank }) => rank))]
  const text = chosen.map((sentence) => `${sentence.text} [${cited.indexOf(sentence.rank) + 1}]`).join(' ')
  return { text, cited: cited.map((rank) => passages[rank] as Passage) }
}

function candidatesOf(passage: Passage, rank: number): Candidate[] {
  const sentences = sentencesOf(passage.text)
  const topic = new Set(sentencesOf(passage.title).flatMap(({ stems }) => [...stems]))
  const around = new Set(sentences.flatMap(({ stems }) => [...stems]))
  return sentences.map(({ text, stems }, place) => ({
    text: shortened(text),
    stems,
    topic,
    around,
    rank,
    place,
  }))
}

function shortened(text: string): string {
  if (text.length <= maxSentenceChars) return text
  const cut = text.slice(0, maxSentenceChars)
  return `${cut.slice(0, Math.max(1, cut.lastIndexOf(' '))).toWellFormed()} …`
}

/** Greedy: the sentence that covers most, then those that add most, best-ranked passage first among equals. */
function choose(candidates: readonly Candidate[], asked: Asked): Candidate[] {
  const chosen: Candidate[] = []
  const covered = new Map<string, number>()
  while (chosen.length < maxSentences) {
    let best: Candidate | undefined
    let bestGain = minGain
    for (const candidate of candidates) {
      if (chosen.includes(candidate)) continue
      const gain = gainOf(candidate, asked, covered)
      if (gain > bestGain) [best, bestGain] = [candidate, gain]
    }
    if (best === undefined) return chosen
    chosen.push(best)
    for (const stem of asked.weights.keys())
      covered.set(stem, Math.max(covered.get(stem) ?? 0, has(best, stem)))
  }
  return chosen
}

/** How much of a stem a sentence has: 1, a share when only the sentences around it have it, or 0. */
function has(candidate: Candidate, stem: string): number {
  if (candidate.stems.has(stem) || candidate.topic.has(stem)) return 1
  return candidate.around.has(stem) ? aroundShare : 0
}

/** The share of the question's weight that a sentence covers beyond what is covered. */
function gainOf(candidate: Candidate, asked: Asked, covered: ReadonlyMap<string, number>): number {
  let gain = 0
  let total = 0
  let own = 0
  for (const [stem, weight] of asked.weights) {
    total += weight
    gain += weight * Math.max(0, has(candidate, stem) - (covered.get(stem) ?? 0))
    if (candidate.stems.has(stem) && (stem !== reasonStem || isAboutWhatIsAsked(candidate, asked))) own += 1
  }
  // A sentence without any word of the question says nothing of it, whatever stands around it.
  return total === 0 || own === 0 ? 0 : gain / total
}

/** A reason counts where the passage speaks of what is asked: any other is the reason for something else. */
function isAboutWhatIsAsked({ around, topic }: Candidate, { weights }: Asked): boolean {
  return [...weights.keys()].some((stem) => stem !== reasonStem && (around.has(stem) || topic.has(stem)))
}

function isSupported(chosen: readonly Candidate[], asked: Asked): boolean {
  let total = 0
  let covered = 0
  let namesCovered = 0
  for (const [stem, weight] of asked.weights) {
    const most = Math.max(0, ...chosen.map((candidate) => has(candidate, stem)))
    total += weight
    covered += weight * most
    if (most > 0 && asked.names.has(stem)) namesCovered += 1
  }
  return covered > 0 && covered / total >= minSupport && (asked.names.size === 0 || namesCovered > 0)
}
