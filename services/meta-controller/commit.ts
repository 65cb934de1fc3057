import { withWarrant } from './authorize.ts'
import type { Stage } from './stage.ts'

const commitTimeoutMs = 60_000

/** Has code-modifier commit the change on its own branch. With autonomy `propose` the objective ends here. */
export const commit: Stage<{ readonly commit: string; readonly branch: string }> = async (state, context) => {
  const changeId = state.results.propose!.id
  const options = { signal: context.signal, timeoutMs: commitTimeoutMs }
  const { change } = await withWarrant(state, context, (warrant) =>
    context.peers.codeModifier.commitChange({ changeId, warrant }, options),
  )
  const result = { commit: change?.commit ?? '', branch: change?.branch ?? '' }
  const message = `commit ${result.commit.slice(0, 10)} on ${result.branch}`
  if (state.wish.autonomy !== 'propose') return { result, message }
  return {
    result,
    message,
    end: { ending: 'proposed', reason: `autonomy is propose: ${message} waits for a person` },
  }
}
