/** A service, and what it is known or promised to do. */
export interface ServicePlan {
  readonly name: string
  /**
   * What its own work takes at most for one request, in milliseconds: the upper limit of a confidence sequence, not an average.
   * Absent: it may take for ever, as when it stalls.
   */
  readonly workMs?: number
  /** How many requests it takes at once at most. */
  readonly maxInFlight?: number
}

/** How one service calls another. */
export interface CallPlan {
  readonly from: string
  readonly to: string
  /** Calls with the same number go out together; the numbers go one after another. Absent: each by itself, in the order of the list. */
  readonly stage?: number
  /** Calls for each request of the caller; 1 without it. */
  readonly calls?: number
  /** Tries in all, the first among them; 1 without it. */
  readonly attempts?: number
  readonly perTryTimeoutMs?: number
  /** For all tries and waits together. */
  readonly timeoutMs?: number
  /** The wait before the second try at most; doubled before each further one. */
  readonly backoffMs?: number
  /** There and back at most. */
  readonly networkMs?: number
  /** Retries are at most this share of the calls, over any long time. */
  readonly retryBudget?: number
}

/** Where requests come in. */
export interface EntryPlan {
  readonly service: string
  /** The client gives up after this. */
  readonly deadlineMs?: number
  /** Requests at the peak. */
  readonly peakPerS?: number
}

export interface RolloutStepPlan {
  readonly weightPercent: number
  readonly minSeconds: number
  /** How long the step may last; `minSeconds` without it. */
  readonly maxSeconds?: number
  /** Until a canary that fails is found at this weight; the plan's `detectionSeconds` without it. */
  readonly detectionSeconds?: number
}

/** A gradual rollout, and the error budget that it draws on. */
export interface RolloutPlan {
  readonly steps: readonly RolloutStepPlan[]
  /** A weight is at most this many times the one before; 3 without it. */
  readonly maxGrowth?: number
  /** The first weight at most, in percent; 25 without it. */
  readonly maxFirstWeightPercent?: number
  /** From a canary's first bad answer until the judge aborts, and from there until traffic is back. */
  readonly detectionSeconds: number
  readonly rollbackSeconds: number
  /** What the judge lets pass: a canary with at most this share of bad answers in addition may run all the way. 0 without it. */
  readonly toleratedBadShare?: number
  readonly sloWindowSeconds: number
  /** Share of bad requests that the SLO allows. */
  readonly allowedBadShare: number
  /** The peak rate over the mean rate of the window; 1 without it. */
  readonly peakToMean?: number
  /** The share of the error budget that a canary which fails from its start may cost at most. */
  readonly maxBudgetShare: number
  /** The same for one that begins to fail at any later moment; not proven about without it. */
  readonly maxLateBudgetShare?: number
}

/** The rollout as states; every state has to lead back to `stable` by its rollback transitions. */
export interface RollbackPlan {
  readonly stable: string
  readonly states: readonly string[]
  /** What NEXUS can choose to do in a state to get back, and how long it takes at most. */
  readonly transitions: readonly { readonly from: string; readonly to: string; readonly seconds: number }[]
  readonly withinSeconds: number
}

export interface WorkloadPlan {
  readonly name: string
  readonly minReplicas: number
  readonly maxReplicas: number
  /** Replicas above those wished for during a rollout: a number, or a percentage of the replicas that is rounded up. */
  readonly surge?: number
  readonly surgePercent?: number
  /** What one replica requests, by resource: cpu in millicores, memory in MiB. */
  readonly requests: Readonly<Record<string, number>>
}

export interface QuotaPlan {
  readonly workloads: readonly WorkloadPlan[]
  /** By resource, in the units of the requests. */
  readonly limits: Readonly<Record<string, number>>
}

/** When a gate accepts: a condition over the dimensions of risk, each of which is worse the larger it is. */
export type GateCondition =
  | { readonly all: readonly GateCondition[] }
  | { readonly any: readonly GateCondition[] }
  | { readonly not: GateCondition }
  | { readonly dimension: string; readonly atMost: number }
  | { readonly dimension: string; readonly atLeast: number }
  | { readonly score: readonly ScorePart[]; readonly atMost: number }

/** Points of a dimension by linear interpolation; the same beyond both ends. */
export interface ScorePart {
  readonly dimension: string
  readonly points: readonly (readonly [risk: number, points: number])[]
}

export interface GatePlan {
  readonly name: string
  readonly dimensions: readonly string[]
  readonly accepts: GateCondition
}

/** Who may call whom, in every layer that has a say (authorization policies, network policies). */
export interface AccessPlan {
  readonly ingress: string
  readonly gateway: string
  readonly protected: readonly string[]
  readonly layers: readonly {
    readonly name: string
    readonly allows: readonly { readonly from: string; readonly to: string }[]
  }[]
  /** So many rules may be wrongly added and it still holds; 0 without it. */
  readonly tolerates?: number
}

export interface SchedulePlan {
  /** A change starts at some time between the two and lasts so long at most. */
  readonly changes: readonly {
    readonly id: string
    readonly service: string
    readonly earliestStartS: number
    readonly latestStartS: number
    readonly seconds: number
  }[]
  /** Nothing may be under way then. */
  readonly freezes: readonly { readonly name: string; readonly fromS: number; readonly untilS: number }[]
}

/** All that is known of a mesh and of what is to be done to it. What is absent is not proven about. */
export interface MeshPlan {
  readonly services: readonly ServicePlan[]
  readonly edges: readonly CallPlan[]
  readonly entries: readonly EntryPlan[]
  /** Requests at a service are at most this many times those without retries. */
  readonly maxAmplification?: number
  readonly rollout?: RolloutPlan
  readonly rollback?: RollbackPlan
  readonly quota?: QuotaPlan
  readonly gates?: readonly GatePlan[]
  readonly access?: AccessPlan
  readonly schedule?: SchedulePlan
}
