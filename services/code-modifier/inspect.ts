import { rolloutSection } from '../platform/target/manifest.ts'
import type { Targets } from './targets.ts'

/** A target as it stands, for InspectTarget. Errors: those of `targets.sync`. */
export async function inspect(target: string, targets: Targets) {
  const { manifest, branch, head, repository } = await targets.sync(target)
  return {
    target,
    services: manifest.services.map(({ name }) => name),
    branch,
    head,
    interventions: Object.keys(manifest.interventions),
    sloDocuments: manifest.slos.map((document) => JSON.stringify(document)),
    rollout: JSON.stringify(rolloutSection(manifest.rollout)),
    repository: repository.gitFolder,
  }
}
