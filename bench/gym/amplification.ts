import type { MeshSpec } from './mesh.ts'
import type { Intervention } from './world.ts'

/**
 * Most tries that can reach any service for one request that would reach it once: the product of the tries along the worst way. Counted
 * by walking all ways, apart from the prover, for the oracle to know what keeps the owners' limit.
 */
export function amplificationOf(spec: MeshSpec, intervention?: Intervention): number {
  const worstBelow = (name: string): number => {
    const service = spec.services.find((one) => one.name === name)!
    const ways = (service.calls ?? []).flat().map((call) => {
      const isChanged = intervention?.edge.caller === name && intervention.edge.callee === call.to
      const { attempts = 1 } = isChanged ? { ...call, ...intervention.policy } : call
      return attempts * worstBelow(call.to)
    })
    return Math.max(1, ...ways)
  }
  return Math.max(...spec.entries.map(({ service }) => worstBelow(service)))
}

/** In how many ways a request of a client comes to each service: the most that a request without retries can reach it. */
export function waysTo(spec: MeshSpec): Map<string, number> {
  const most = new Map<string, number>()
  for (const { service } of spec.entries) {
    const ways = new Map<string, number>()
    const walk = (name: string): void => {
      ways.set(name, (ways.get(name) ?? 0) + 1)
      const found = spec.services.find((one) => one.name === name)!
      for (const { to } of (found.calls ?? []).flat()) walk(to)
    }
    walk(service)
    for (const [name, count] of ways) most.set(name, Math.max(most.get(name) ?? 0, count))
  }
  return most
}
