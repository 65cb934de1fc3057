import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { invariant } from '../../platform/invariant.ts'
import { addTimeout } from './add-timeout/recipe.ts'
import type { RunRecipe } from './catalogue.ts'
import { CpuProfileError } from './enable-caching/cpu-profile.ts'
import { enableCaching } from './enable-caching/recipe.ts'
import { type RecipeOutcome, refuse } from './outcome.ts'
import { TargetProgramError } from './program/program.ts'
import { SourceTextError } from './program/spans.ts'
import { typeErrorsOf } from './program/type-errors.ts'
import type { Answer, Tasks } from './thread.ts'

// The thread in which a target is analysed. It gets one task, answers it and ends, so that its memory goes back.

const runByIntervention: Readonly<Record<string, RunRecipe>> = {
  enable_caching: enableCaching,
  add_timeout: addTimeout,
}

type Task = Tasks[keyof Tasks]['task']

/** Does one task. Errors: those of the analysis; what a target's own files cause is a refusal. */
export function perform(task: Task): RecipeOutcome | readonly string[] {
  if (task.kind === 'types') return typeErrorsOf(task.input)
  const run = runByIntervention[task.intervention]
  invariant(run, `there is a recipe for ${task.intervention}`)
  try {
    return run(task.input)
  } catch (error) {
    const isOfTarget =
      error instanceof TargetProgramError ||
      error instanceof SourceTextError ||
      error instanceof CpuProfileError
    if (isOfTarget) return refuse(error.message)
    throw error
  }
}

function answer(task: Task): Answer<RecipeOutcome | readonly string[]> {
  try {
    return { ok: true, value: perform(task) }
  } catch (error) {
    return { ok: false, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

if (!isMainThread && parentPort) parentPort.postMessage(answer(workerData as Task))
