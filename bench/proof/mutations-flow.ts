import type { Random } from '../../services/platform/statistics/random.ts'
import { type BugClass, multiplied, scaled } from './bug-class.ts'
import { isInverted, worstAnswerMs, worstLoads } from './evaluator.ts'
import { between, type Draft, inFlight, oneOf } from './meshes.ts'

const called = (plan: Draft, random: Random) => oneOf(random, plan.edges)

const deadline: BugClass = {
  property: 'deadline',
  mutations: {
    'a deadline too short': (plan, random) => {
      const entry = plan.entries[0]!
      entry.deadlineMs = scaled(entry.deadlineMs, 0.3 + 0.65 * random())
    },
    'slower work': (plan, random) => {
      const service = oneOf(random, plan.services)
      service.workMs = scaled(service.workMs, 10 * multiplied(random))
    },
    'more tries': (plan, random) => {
      const call = called(plan, random)
      call.attempts = (call.attempts ?? 1) + between(random, 1, 4)
    },
    'no time-out': (plan, random) => {
      for (const call of plan.edges) if (random() < 0.7) delete call.timeoutMs
      const call = called(plan, random)
      delete call.perTryTimeoutMs
      call.attempts = (call.attempts ?? 1) + 2
    },
    'longer waits': (plan, random) => {
      const call = called(plan, random)
      call.attempts = Math.max(2, call.attempts ?? 1)
      call.backoffMs = scaled((call.backoffMs ?? 0) + 50, multiplied(random))
    },
    'an additional call': (plan, random) => {
      const from = oneOf(random, plan.services.slice(0, -2)).name
      const to = plan.services.at(-1)!.name
      if (!plan.edges.some((call) => call.from === from && call.to === to))
        plan.edges.push({ from, to, attempts: 3, networkMs: 20 })
    },
  },
  isBug: (plan) => worstAnswerMs(plan, plan.entries[0]!.service) > plan.entries[0]!.deadlineMs!,
}

const inversion: BugClass = {
  property: 'timeout inversion',
  mutations: {
    'a try too short': (plan, random) => {
      const call = called(plan, random)
      call.perTryTimeoutMs = scaled(call.perTryTimeoutMs, 0.3 + 0.65 * random())
    },
    'a call too short for its tries': (plan, random) => {
      const call = called(plan, random)
      call.timeoutMs = scaled(call.perTryTimeoutMs, 0.5 + 0.5 * random() * (call.attempts ?? 1))
    },
    'a callee that tries longer': (plan, random) => {
      const call = called(plan, random)
      delete call.timeoutMs
      call.attempts = (call.attempts ?? 1) + between(random, 1, 3)
    },
    'a callee with a longer time-out': (plan, random) => {
      const call = called(plan, random)
      call.perTryTimeoutMs = scaled(call.perTryTimeoutMs, multiplied(random))
      if (call.timeoutMs !== undefined) call.timeoutMs = scaled(call.timeoutMs, 5 * multiplied(random))
    },
    'slower work': (plan, random) => {
      const service = oneOf(random, plan.services)
      service.workMs = scaled(service.workMs, 3 * multiplied(random))
    },
    'longer waits': (plan, random) => {
      const call = called(plan, random)
      call.backoffMs = (call.backoffMs ?? 0) + between(random, 10, 400)
    },
  },
  isBug: (plan) => plan.edges.some((edge) => isInverted(plan, edge)),
}

const amplification: BugClass = {
  property: 'retry amplification',
  mutations: {
    'more tries': (plan, random) => {
      const call = called(plan, random)
      call.attempts = (call.attempts ?? 1) + between(random, 1, 4)
    },
    'tries on every edge': (plan) => {
      for (const call of plan.edges) call.attempts = Math.max(2, call.attempts ?? 1)
    },
    'a bound too small': (plan, random) => {
      plan.maxAmplification = scaled(plan.maxAmplification, random())
    },
    'retry budgets that add up': (plan, random) => {
      for (const call of plan.edges) Object.assign(call, { attempts: 10, retryBudget: 0.5 + random() })
    },
  },
  isBug: (plan) => {
    const [loads, bases] = [worstLoads(plan, true), worstLoads(plan, false)]
    // Twice the smallest doubt: the gym's retry budgets let ten retries pass at the start.
    return plan.services.some(
      ({ name }) => loads.get(name)! > bases.get(name)! * plan.maxAmplification! * 1.05,
    )
  },
}

const concurrency: BugClass = {
  property: 'concurrency',
  mutations: {
    'a limit too small': (plan, random) => {
      for (const service of plan.services) {
        if (service.maxInFlight !== undefined)
          service.maxInFlight = scaled(service.maxInFlight, 0.2 + 0.6 * random())
      }
      const service = oneOf(random, plan.services.slice(1))
      service.maxInFlight = scaled(inFlight(plan, service.name), 0.2 + 0.6 * random())
    },
    'a higher peak': (plan, random) => {
      plan.entries[0]!.peakPerS = scaled(plan.entries[0]!.peakPerS, 2 * multiplied(random))
    },
    'more tries': (plan, random) => {
      const call = called(plan, random)
      call.attempts = (call.attempts ?? 1) + between(random, 1, 2)
      delete call.timeoutMs
    },
  },
  isBug: (plan) =>
    plan.services.some(
      ({ name, maxInFlight = Infinity }) =>
        inFlight(plan, name) > Math.max(maxInFlight * 1.1, maxInFlight + 1),
    ),
}

/** Bugs in how requests flow: time-outs, tries, waits, limits. */
export const flowClasses: readonly BugClass[] = [deadline, inversion, amplification, concurrency]
