import type { ServiceImpl } from '@connectrpc/connect'
import type {
  CodeModifierService,
  ProposeChangeRequest,
} from '../gen/nexus/code_modifier/v1/code_modifier_service_pb.ts'
import type { ChangeState } from './change.ts'
import type { Changes } from './changes.ts'
import { inspect } from './inspect.ts'
import { presentChange } from './present.ts'
import { recipes } from './recipes/catalogue.ts'
import type { Targets } from './targets.ts'

const defaultPageSize = 50

export function createCodeModifier(
  changes: Changes,
  targets: Targets,
): ServiceImpl<typeof CodeModifierService> {
  return {
    inspectTarget: ({ target }) => inspect(target, targets),
    async *proposeChange(request, context) {
      for await (const event of propose(request, changes, context.signal)) yield { event }
    },
    async commitChange({ changeId, warrant }) {
      return { change: presentChange(await changes.commit(changeId, warrant?.envelope ?? '')) }
    },
    async promoteChange({ changeId, warrant }) {
      return { change: presentChange(await changes.promote(changeId, warrant?.envelope ?? '')) }
    },
    async revertChange({ changeId, reason }) {
      return { change: presentChange(await changes.revert(changeId, reason)) }
    },
    async getChange({ changeId }) {
      return { change: presentChange(await changes.get(changeId)) }
    },
    async listChanges({ pageSize }) {
      const states = await changes.list(pageSize || defaultPageSize)
      return { changes: states.map((state) => ({ ...presentChange(state), diff: '' })) }
    },
    async listRecipes() {
      return { recipes: recipes.map((recipe) => ({ ...recipe, refusals: [...recipe.refusals] })) }
    },
  }
}

type ProposeEvent =
  | { readonly case: 'progress'; readonly value: { readonly step: string; readonly detail: string } }
  | { readonly case: 'change'; readonly value: ReturnType<typeof presentChange> }

/** Progress as it comes, then the change. What waits here is bounded by the number of gates. */
async function* propose(
  request: ProposeChangeRequest,
  changes: Changes,
  signal: AbortSignal,
): AsyncGenerator<ProposeEvent> {
  const waiting: ProposeEvent[] = []
  let wake = () => {}
  const left = new AbortController()
  const onProgress = (step: string, detail: string) => {
    waiting.push({ case: 'progress', value: { step, detail } })
    wake()
  }
  const { objectiveId, turn, target, intervention, parameters } = request
  const wish = { objectiveId, turn, target, intervention, parameters }
  let done: ChangeState | undefined
  const proposing = changes.propose(wish, { onProgress, signal: AbortSignal.any([signal, left.signal]) })
  const ended = proposing.then((state) => {
    done = state
  })
  ended.then(
    () => wake(),
    () => wake(),
  )
  try {
    while (true) {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) yield next
      if (done !== undefined) break
      await Promise.race([ended, new Promise<void>((resolve) => (wake = resolve))])
    }
    yield { case: 'change', value: presentChange(done) }
  } finally {
    left.abort(new Error('the caller has gone'))
  }
}
