import { shuffled } from '../../services/platform/statistics/random.ts'
import { type BugClass, multiplied, scaled } from './bug-class.ts'
import { worstBurnSeconds, worstRequest } from './evaluator.ts'
import { between, oneOf } from './meshes.ts'

const steps: BugClass = {
  property: 'rollout plan',
  mutations: {
    'weights that fall': (plan) => {
      const [first, second] = plan.rollout!.steps
      ;[first!.weightPercent, second!.weightPercent] = [second!.weightPercent, first!.weightPercent]
    },
    'a weight twice': (plan) => {
      const [first, second] = plan.rollout!.steps
      second!.weightPercent = first!.weightPercent
    },
    'a leap': (plan, random) => {
      plan.rollout!.steps[0]!.weightPercent = between(random, 1, 3)
    },
    'a large start': (plan, random) => {
      plan.rollout!.steps[0]!.weightPercent = between(random, 30, 90)
    },
    'an early promotion': (plan, random) => {
      plan.rollout!.steps = [{ weightPercent: between(random, 1, 25), minSeconds: 600 }]
    },
    'a step too short': (plan, random) => {
      const step = oneOf(random, plan.rollout!.steps)
      step.minSeconds = plan.rollout!.detectionSeconds * (0.1 + 0.8 * random())
    },
    'more than all': (plan, random) => {
      plan.rollout!.steps.push({ weightPercent: between(random, 101, 200), minSeconds: 600 })
    },
  },
}

const burn: BugClass = {
  property: 'rollout burn',
  mutations: {
    'a slower judge': (plan, random) => {
      plan.rollout!.detectionSeconds = scaled(plan.rollout!.detectionSeconds, multiplied(random))
    },
    'a slower judge in one step': (plan, random) => {
      const step = oneOf(random, plan.rollout!.steps)
      step.detectionSeconds = scaled(plan.rollout!.detectionSeconds, 2 * multiplied(random))
    },
    'a slower rollback': (plan, random) => {
      plan.rollout!.rollbackSeconds = scaled(plan.rollout!.rollbackSeconds, 2 * multiplied(random))
    },
    'larger weights': (plan, random) => {
      for (const step of plan.rollout!.steps)
        step.weightPercent = Math.min(100, scaled(step.weightPercent, multiplied(random)))
    },
    'a smaller budget': (plan, random) => {
      plan.rollout!.allowedBadShare *= 0.3 + 0.4 * random()
    },
    'more that is tolerated': (plan, random) => {
      plan.rollout!.toleratedBadShare = 0.1 + 0.3 * random()
    },
    'a peak': (plan, random) => {
      plan.rollout!.peakToMean = multiplied(random)
    },
  },
  isBug: (plan) => {
    const rollout = plan.rollout!
    const budget = rollout.sloWindowSeconds * rollout.allowedBadShare
    // The gym counts requests, so what is hardly too much would be a matter of luck there.
    const tooMuch = (onset: 'at once' | 'late', share: number) =>
      worstBurnSeconds(rollout, onset) > share * budget * 1.05
    return tooMuch('at once', rollout.maxBudgetShare) || tooMuch('late', rollout.maxLateBudgetShare!)
  },
}

const rollback: BugClass = {
  property: 'rollback reachability',
  mutations: {
    'no way out of a state': (plan, random) => {
      const { transitions } = plan.rollback!
      transitions.splice(between(random, 0, transitions.length - 2), 1)
    },
    'no way out of aborting': (plan) => {
      plan.rollback!.transitions = plan.rollback!.transitions.filter(({ from }) => from !== 'aborting')
    },
    'a new state that leads nowhere': (plan, random) => {
      plan.rollback!.states.push('waiting for a person')
      if (random() < 0.5)
        plan.rollback!.transitions.push({
          from: 'waiting for a person',
          to: 'waiting for a person',
          seconds: 1,
        })
    },
    'a way back that takes too long': (plan, random) => {
      const transition = oneOf(random, plan.rollback!.transitions)
      transition.seconds = plan.rollback!.withinSeconds + between(random, 1, 60)
    },
    'less time': (plan, random) => {
      plan.rollback!.withinSeconds = between(random, 1, plan.rollout!.detectionSeconds)
    },
  },
}

const quota: BugClass = {
  property: 'quota',
  mutations: {
    'more replicas': (plan, random) => {
      oneOf(random, plan.quota!.workloads).maxReplicas += between(random, 50, 200)
    },
    'a larger surge': (plan, random) => {
      const workload = oneOf(random, plan.quota!.workloads)
      delete workload.surge
      workload.surgePercent = between(random, 20, 50) * 100
    },
    'larger pods': (plan, random) => {
      const { requests } = oneOf(random, plan.quota!.workloads)
      const resource = oneOf(random, ['cpu', 'memory'])
      requests[resource] = requests[resource]! * between(random, 50, 90)
    },
    'a smaller quota': (plan, random) => {
      const { limits } = plan.quota!
      const resource = oneOf(random, ['cpu', 'memory'])
      limits[resource] = scaled(limits[resource], 0.2 + 0.4 * random())
    },
  },
  isBug: ({ quota: plan }) =>
    Object.entries(plan!.limits).some(([resource, limit]) => worstRequest(plan!, resource) > limit),
}

const gate: BugClass = {
  property: 'risk gate',
  mutations: {
    'a limit turned round': (plan, random) => {
      const [part] = plan.gates!
      part!.accepts = { all: [part!.accepts, { dimension: oneOf(random, part!.dimensions), atLeast: 0.05 }] }
    },
    'an exception for the reckless': (plan, random) => {
      const [part] = plan.gates!
      part!.accepts = { any: [part!.accepts, { dimension: oneOf(random, part!.dimensions), atLeast: 0.95 }] }
    },
    'a negation': (plan, random) => {
      const [part] = plan.gates!
      part!.accepts = {
        all: [part!.accepts, { not: { dimension: oneOf(random, part!.dimensions), atMost: 0.01 } }],
      }
    },
    'points that fall': (plan, random) => {
      const [part] = plan.gates!
      const dimension = oneOf(random, part!.dimensions)
      const points: [number, number][] = [
        [0, 0],
        [0.5, 80],
        [1, 10],
      ]
      part!.accepts = { score: [{ dimension, points }], atMost: between(random, 15, 70) }
    },
    'a bonus for risk': (plan, random) => {
      const [part] = plan.gates!
      const [good, bad] = shuffled(part!.dimensions, random)
      const points: [number, number][] = [
        [0, 0],
        [1, -30],
      ]
      const up: [number, number][] = [
        [0, 0],
        [1, 50],
      ]
      const score = [
        { dimension: good!, points },
        { dimension: bad!, points: up },
      ]
      part!.accepts = { score, atMost: between(random, 5, 15) }
    },
  },
}

const access: BugClass = {
  property: 'policy bypass',
  mutations: {
    'a rule too many in each layer': (plan, random) => {
      const to = oneOf(random, plan.access!.protected)
      for (const layer of plan.access!.layers) layer.allows.push({ from: 'ingress', to })
    },
    'a way in two steps': (plan) => {
      const [to] = plan.access!.protected
      for (const layer of plan.access!.layers) {
        layer.allows.push({ from: 'ingress', to: 'debugger' }, { from: 'debugger', to: to! })
      }
    },
    'a second entry': (plan) => {
      for (const layer of plan.access!.layers) layer.allows.push({ from: 'ingress', to: 's0' })
    },
    'one layer open, one wrong rule tolerated': (plan, random) => {
      plan.access!.tolerates = 1
      oneOf(random, plan.access!.layers).allows.push({
        from: 'ingress',
        to: oneOf(random, plan.access!.protected),
      })
    },
    'a single layer, one wrong rule tolerated': (plan) => {
      plan.access!.tolerates = 1
      plan.access!.layers.pop()
    },
  },
}

const schedule: BugClass = {
  property: 'schedule',
  mutations: {
    'a start that may be early': (plan) => {
      const [first, second] = plan.schedule!.changes
      second!.service = first!.service
      second!.earliestStartS = first!.earliestStartS
    },
    'a change that lasts': (plan, random) => {
      const [first, second] = plan.schedule!.changes
      second!.service = first!.service
      first!.seconds += between(random, 300, 900)
    },
    'a start that may be late': (plan, random) => {
      const last = plan.schedule!.changes.at(-1)!
      last.latestStartS = plan.schedule!.freezes[0]!.fromS + between(random, 0, 600)
    },
    'a freeze in between': (plan, random) => {
      const { earliestStartS } = oneOf(random, plan.schedule!.changes)
      plan.schedule!.freezes.push({ name: 'the day off', fromS: earliestStartS, untilS: earliestStartS + 50 })
    },
    'two at once across the mesh': (plan) => {
      const [first, second] = plan.schedule!.changes
      const [call] = plan.edges
      Object.assign(first!, { service: call!.from })
      Object.assign(second!, {
        service: call!.to,
        earliestStartS: first!.earliestStartS,
        latestStartS: first!.latestStartS,
      })
    },
  },
}

/** Bugs in what is to be done to a mesh, and in who may do what. */
export const planClasses: readonly BugClass[] = [steps, burn, rollback, quota, gate, access, schedule]
