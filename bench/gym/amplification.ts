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
