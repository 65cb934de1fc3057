import type { Verdict } from '../../services/meta-controller/analysis/proof/obligation.ts'
import type { GateCondition, MeshPlan } from '../../services/meta-controller/analysis/proof/plan.ts'
import type { Replay } from './replay-gym.ts'

// What is not about the flow of requests is replayed by plain arithmetic on the plan, with which the encodings share no code.

type Numbers = Readonly<Record<string, number>>

function valuesOf({ counterexample }: Verdict): Numbers {
  return counterexample?.values ?? {}
}

/** The step that the counterexample names breaks one of the rules for steps. */
export function replaySteps(plan: MeshPlan, verdict: Verdict): Replay {
  const { steps, detectionSeconds, maxGrowth = 3, maxFirstWeightPercent = 25 } = plan.rollout!
  const index = (valuesOf(verdict).step ?? 0) - 1
  const before = index === 0 ? 0 : (steps[index - 1]?.weightPercent ?? Number.NaN)
  const step = steps[index]
  const weight = step?.weightPercent ?? 100
  const most = index === 0 ? maxFirstWeightPercent : before * maxGrowth
  const isShort = step !== undefined && step.minSeconds < (step.detectionSeconds ?? detectionSeconds)
  const falls = step !== undefined && weight <= before
  return {
    shows: falls || weight > 100 || weight > most || isShort,
    words: `step ${index + 1}: ${before} % to ${weight} %`,
  }
}

/** A walk through the states, always by the quickest way (Dijkstra), takes too long or does not arrive. */
export function replayRollback(plan: MeshPlan, verdict: Verdict): Replay {
  const { stable, states, transitions, withinSeconds } = plan.rollback!
  const values = valuesOf(verdict)
  const from = states.toSorted(
    (a, b) => (values[`seconds from ${b}`] ?? 0) - (values[`seconds from ${a}`] ?? 0),
  )[0]!
  const open = new Map([[from, 0]])
  const done = new Set<string>()
  for (;;) {
    const nearest = [...open].filter(([state]) => !done.has(state)).toSorted((a, b) => a[1] - b[1])[0]
    if (nearest === undefined) return { shows: true, words: `${from} has no way back to ${stable}` }
    const [state, seconds] = nearest
    if (state === stable)
      return { shows: seconds > withinSeconds, words: `${from} is back after ${seconds} s` }
    done.add(state)
    for (const transition of transitions) {
      if (transition.from !== state) continue
      const arrival = seconds + transition.seconds
      open.set(transition.to, Math.min(arrival, open.get(transition.to) ?? Infinity))
    }
  }
}

/** The replicas and surges of the counterexample are possible, and together request more than there is. */
export function replayQuota(plan: MeshPlan, verdict: Verdict): Replay {
  const { workloads, limits } = plan.quota!
  const values = valuesOf(verdict)
  const resource = verdict.name.replace('quota of ', '')
  let requested = 0
  for (const { name, minReplicas, maxReplicas, surge = 0, surgePercent, requests } of workloads) {
    const replicas = values[`replicas of ${name}`] ?? 0
    const extra = values[`surge of ${name}`] ?? 0
    const mostExtra = surgePercent === undefined ? surge : Math.ceil((replicas * surgePercent) / 100)
    const isPossible = replicas >= minReplicas && replicas <= maxReplicas && extra <= mostExtra
    if (!isPossible)
      return { shows: false, words: `${name} cannot have ${replicas} replicas and ${extra} more` }
    requested += (replicas + extra) * (requests[resource] ?? 0)
  }
  const limit = limits[resource] ?? Infinity
  return { shows: requested > limit, words: `${requested} of ${resource} requested, ${limit} there` }
}

/** The gate, evaluated on both sides, refuses the lower risk and accepts the higher one. */
export function replayGate(plan: MeshPlan, verdict: Verdict): Replay {
  const values = valuesOf(verdict)
  const gate = plan.gates!.find(({ name }) => verdict.name === `gate ${name}`)!
  const lower = Object.fromEntries(gate.dimensions.map((dimension) => [dimension, values[dimension] ?? 0]))
  const raised = gate.dimensions[values['raised dimension'] ?? -1] ?? ''
  const higher = { ...lower, [raised]: values['raised to'] ?? 0 }
  const isOrdered = higher[raised]! > (lower[raised] ?? Infinity)
  const [low, high] = [accepts(gate.accepts, lower), accepts(gate.accepts, higher)]
  return {
    shows: isOrdered && !low && high,
    words: `lower risk ${low ? 'accepted' : 'refused'}, higher ${high ? 'accepted' : 'refused'}`,
  }
}

function accepts(condition: GateCondition, risk: Numbers): boolean {
  if ('all' in condition) return condition.all.every((part) => accepts(part, risk))
  if ('any' in condition) return condition.any.some((part) => accepts(part, risk))
  if ('not' in condition) return !accepts(condition.not, risk)
  if ('score' in condition) {
    const points = condition.score.map(({ dimension, points: table }) =>
      interpolated(table, risk[dimension]!),
    )
    return points.reduce((sum, each) => sum + each, 0) <= condition.atMost
  }
  const value = risk[condition.dimension]!
  return 'atMost' in condition ? value <= condition.atMost : value >= condition.atLeast
}

function interpolated(points: readonly (readonly [number, number])[], at: number): number {
  const next = points.findIndex(([risk]) => at < risk)
  if (next === 0) return points[0]![1]
  if (next < 0) return points.at(-1)![1]
  const [[x0, y0], [x1, y1]] = [points[next - 1]!, points[next]!]
  return y0 + ((at - x0) / (x1 - x0)) * (y1 - y0)
}

/** With the rules of the plan and the wrong ones of the counterexample, a walk from the ingress reaches the service without the gateway. */
export function replayAccess(plan: MeshPlan, verdict: Verdict): Replay {
  const { ingress, gateway, protected: guarded, layers, tolerates = 0 } = plan.access!
  const target = guarded.find((service) => verdict.name === `no way to ${service} around ${gateway}`)
  // The steps of the counterexample that a layer does not allow are the rules that would be wrong there.
  const walk = walkBack(valuesOf(verdict), ingress, target ?? '')
  const allowed = layers.map(({ allows }) => {
    const rules = new Set(allows.map(({ from, to }) => `step ${from} → ${to}`))
    const wrong = walk.filter((step) => !rules.has(step))
    return { wrong: wrong.length, rules: new Set([...rules, ...wrong]) }
  })
  const wrong = allowed.reduce((sum, layer) => sum + layer.wrong, 0)
  const named = layers.flatMap(({ allows }) => allows.flatMap(({ from, to }) => [from, to]))
  const nodes = new Set([...named, ...guarded])
  const reached = new Set([ingress])
  for (const from of reached) {
    for (const to of nodes) {
      const isOpen = allowed.every(({ rules }) => rules.has(`step ${from} → ${to}`))
      if (isOpen && to !== gateway) reached.add(to)
    }
  }
  const shows = target !== undefined && reached.has(target) && wrong <= tolerates
  return { shows, words: `${[...reached].join(', ')} are reached without ${gateway}` }
}

function walkBack(values: Numbers, ingress: string, target: string): string[] {
  const taken = Object.keys(values).filter((name) => name.startsWith('step ') && values[name] === 1)
  const walk: string[] = []
  for (let at = target; at !== ingress && walk.length <= taken.length; ) {
    const step = taken.find((name) => name.endsWith(` → ${at}`))
    if (step === undefined) break
    walk.push(step)
    at = step.slice('step '.length, -` → ${at}`.length)
  }
  return walk
}

/** At the starts of the counterexample, which are within their bounds, two changes meet or one is under way in a freeze. */
export function replaySchedule(plan: MeshPlan, verdict: Verdict): Replay {
  const { changes, freezes } = plan.schedule!
  const values = valuesOf(verdict)
  const spans = changes.map((change) => {
    const from = values[`start of ${change.id}`] ?? -1
    return { ...change, from, until: from + change.seconds }
  })
  const inBounds = spans.every(
    ({ from, earliestStartS, latestStartS }) => from >= earliestStartS && from <= latestStartS,
  )
  const meets = (a: { from: number; until: number }, b: { from: number; until: number }) =>
    a.from < b.until && b.from < a.until
  const frozen = spans.some((span) =>
    freezes.some(({ fromS, untilS }) => meets(span, { from: fromS, until: untilS })),
  )
  const reaches = (from: string, to: string): boolean =>
    from === to || plan.edges.some((edge) => edge.from === from && reaches(edge.to, to))
  const clash = spans.some((a, index) =>
    spans
      .slice(index + 1)
      .some((b) => meets(a, b) && (reaches(a.service, b.service) || reaches(b.service, a.service))),
  )
  return {
    shows: inBounds && (frozen || clash),
    words: spans.map(({ id, from, until }) => `${id} ${from} to ${until} s`).join(', '),
  }
}
