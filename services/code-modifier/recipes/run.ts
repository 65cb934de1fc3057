import { recipes } from './catalogue.ts'
import type { RecipeInput, RecipeOutcome } from './outcome.ts'
import { inThread, type ThreadOptions } from './thread.ts'

/**
 * Looks for the change that an intervention asks for, in a thread of its own. Nothing is written.
 * Errors: AnalysisError where the target could not be analysed in time; the signal's reason.
 */
export async function runRecipe(
  intervention: string,
  input: RecipeInput,
  options: ThreadOptions,
): Promise<RecipeOutcome> {
  const names = recipes.map((recipe) => recipe.intervention)
  if (!names.includes(intervention)) {
    const reason = `no recipe carries out ${intervention}; there are ${names.join(' and ')}`
    return { kind: 'unbuilt', reason }
  }
  return await inThread<'recipe'>({ kind: 'recipe', intervention, input }, options)
}
