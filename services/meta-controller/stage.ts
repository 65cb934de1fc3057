import type { Client } from '@connectrpc/connect'
import type { CodeModifierService } from '../gen/nexus/code_modifier/v1/code_modifier_service_pb.ts'
import type { DeployerService } from '../gen/nexus/deployer/v1/deployer_service_pb.ts'
import type { GovernorService } from '../gen/nexus/governor/v1/governor_service_pb.ts'
import type { KnowledgeRetrieverService } from '../gen/nexus/knowledge_retriever/v1/knowledge_retriever_service_pb.ts'
import type { Clock } from '../platform/clock.ts'
import type { SignalSource } from '../platform/signals/signals.ts'
import type { ExperienceStore } from './experience.ts'
import type { Ending, ObjectiveState } from './objective.ts'
import type { Prover } from './proof/prover.ts'

/** The services that the mind calls. */
export interface Peers {
  readonly governor: Client<typeof GovernorService>
  readonly codeModifier: Client<typeof CodeModifierService>
  readonly deployer: Client<typeof DeployerService>
  readonly knowledge: Client<typeof KnowledgeRetrieverService>
}

/** What every stage is given beside the objective. */
export interface StageContext {
  readonly peers: Peers
  readonly signals: SignalSource
  readonly experiences: ExperienceStore
  readonly prover: Prover
  readonly clock: Clock
  /** Aborts when the objective is cancelled or the process drains. */
  readonly signal: AbortSignal
  /** Seconds of telemetry that an observation covers. */
  readonly observeSeconds: number
  /** Tells the watchers how a long stage gets on; not journalled. */
  readonly report: (message: string, details?: unknown) => void
  /** Journals that a person is asked, once for each approval. */
  readonly awaitApproval: (approvalId: string, reasons: readonly string[]) => Promise<void>
}

/** What a stage gives: its result, and whether the turn or the whole objective ends with it. */
export interface StageOutcome<Result> {
  readonly result: Result
  /** One line for people. */
  readonly message: string
  readonly end?: { readonly ending: Ending; readonly reason: string }
  /** Begins another turn without this intervention. */
  readonly exclude?: { readonly intervention: string; readonly reason: string }
}

export type Stage<Result> = (state: ObjectiveState, context: StageContext) => Promise<StageOutcome<Result>>
