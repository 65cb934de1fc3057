import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { KnownDocument } from '../../services/knowledge-retriever/prepare.ts'
import { dataFolder, MissingDataError } from '../data.ts'

/** A question with the indices of the passages that are needed to answer it. */
export interface Question {
  readonly id: string
  readonly question: string
  readonly gold: readonly number[]
}

/** Passages and questions over them. */
export interface QuestionSet {
  /** The file's name up to its first full stop: `musique`. */
  readonly name: string
  readonly passages: readonly { readonly title: string; readonly text: string }[]
  readonly questions: readonly Question[]
}

const sources = 'HotpotQA, 2WikiMultiHopQA and MuSiQue as <set>.dev.json.gz and <set>.train.json.gz'

/** All sets of a kind that lie in the data folder, by name. Errors: MissingDataError when there is none. */
export function readSets(kind: 'train' | 'dev'): QuestionSet[] {
  const folder = path.join(dataFolder(), 'retrieval')
  const ending = `.${kind}.json.gz`
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith(ending)) : []
  if (files.length === 0) {
    throw new MissingDataError(
      `${folder} has no *${ending}: make them of the public data sets (${sources}, layout in bench/retrieval/sets.ts), or set NEXUS_BENCH_DATA to the folder that has them`,
    )
  }
  return files.sort().map((file) => {
    const set = JSON.parse(gunzipSync(readFileSync(path.join(folder, file))).toString('utf8'))
    return { name: file.slice(0, -ending.length), passages: set.passages, questions: set.questions }
  })
}

/** The passages as documents whose ids are their indices. */
export function documentsOf(set: QuestionSet, hasTitles = true): KnownDocument[] {
  return set.passages.map(({ title, text }, index) => ({
    id: String(index),
    title: hasTitles ? title : '',
    text,
    source: set.name,
  }))
}

/** One set of several: the passages of all, the questions with their gold moved along. */
export function joinedSets(sets: readonly QuestionSet[]): QuestionSet {
  const passages = sets.flatMap((set) => set.passages)
  let offset = 0
  const questions: Question[] = []
  for (const set of sets) {
    for (const { id, question, gold } of set.questions) {
      questions.push({ id: `${set.name}/${id}`, question, gold: gold.map((index) => index + offset) })
    }
    offset += set.passages.length
  }
  return { name: 'joined', passages, questions }
}
