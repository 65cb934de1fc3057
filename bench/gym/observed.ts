import type { Observed } from '../../services/meta-controller/analysis/root-cause/explain.ts'
import type { Simulation } from './simulator.ts'
import { edgesOf } from './topology.ts'
import type { World } from './world.ts'

/** All that a controller sees of a world in a time: the golden signals of services and edges. */
export function observe(simulation: Simulation, { spec }: World, fromMs: number, untilMs: number): Observed {
  return {
    services: spec.services.map(({ name }) => ({
      service: name,
      slots: simulation.signals(name, fromMs, untilMs),
    })),
    edges: edgesOf(spec).map(({ caller, callee }, index) => ({
      caller,
      service: callee,
      slots: simulation.edgeSignals(index, fromMs, untilMs),
    })),
  }
}
