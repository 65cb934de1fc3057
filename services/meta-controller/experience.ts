import type { Journal } from '../platform/journal/journal.ts'
import { JournalConflictError } from '../platform/journal/journal.ts'
import type { Experience } from './learn.ts'

/** What canaries have taught, one journal stream a target: `experience/<target>`. */
export interface ExperienceStore {
  /** Oldest first, at most the last `maxExperiences`. */
  of(target: string): Promise<readonly Experience[]>
  /** Adds one; idempotent by objective and turn. */
  add(experience: Experience): Promise<void>
}

export const maxExperiences = 1000
const maxAppendTries = 10

export function createExperienceStore(journal: Journal): ExperienceStore {
  const streamOf = (target: string) => `experience/${target}`
  const add = async (experience: Experience) => {
    for (let tries = 0; tries < maxAppendTries; tries++) {
      const events = await journal.read(streamOf(experience.target))
      const known = events.map((event) => event.data as unknown as Experience)
      if (known.some((one) => one.objectiveId === experience.objectiveId && one.turn === experience.turn))
        return
      try {
        await journal.append(streamOf(experience.target), events.length, [
          { type: 'learned', data: experience },
        ])
        return
      } catch (error) {
        if (!(error instanceof JournalConflictError)) throw error
      }
    }
    throw new Error(
      `experience/${experience.target} changed ${maxAppendTries} times while it was appended to`,
    )
  }
  const of = async (target: string) => {
    const events = await journal.read(streamOf(target))
    return events.slice(-maxExperiences).map((event) => event.data as unknown as Experience)
  }
  return { of, add }
}
