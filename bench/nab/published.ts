import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { dataFolder } from '../data.ts'
import { readArchive, type Series } from './corpus.ts'

/** Row scores of a detector as its authors published them. */
export interface Published {
  readonly detector: string
  readonly scores: readonly Float64Array[]
}

/** Reads each `nab/<detector>_scores.tar.gz` that has a file `<detector>/<category>/<detector>_<name>.csv` for every series. */
export async function publishedScores(corpus: readonly Series[]): Promise<Published[]> {
  const folder = path.join(dataFolder(), 'nab')
  if (!existsSync(folder)) return []
  const archives = readdirSync(folder).filter((name) => name.endsWith('_scores.tar.gz'))
  const all: Published[] = []
  for (const archive of archives.sort()) {
    const detector = archive.slice(0, -'_scores.tar.gz'.length)
    const texts = await readArchive(path.join(folder, archive))
    const files = corpus.map(({ name }) => {
      const [category, file] = name.split('/')
      return texts.get(`${detector}/${category}/${detector}_${file}`)
    })
    if (files.every((text) => text !== undefined)) all.push({ detector, scores: files.map(scoresOf) })
  }
  return all
}

function scoresOf(text: string): Float64Array {
  const lines = text.split(/\r?\n/).filter((line) => line.includes(','))
  const column = (lines[0] ?? '').split(',').indexOf('anomaly_score')
  return Float64Array.from(lines.slice(1), (line) => Number(line.split(',')[column]))
}
