/** A running version that can take requests on 127.0.0.1. */
export interface Backend {
  /** The value of the label `rollouts_pod_template_hash`. */
  readonly version: string
  readonly port: number
}

/** Where requests go. Without a stable backend they are answered with `unavailable`. */
export interface Routing {
  readonly stable?: Backend
  readonly canary?: Backend
  /** Share of the requests that the canary gets, in percent; 0 without one. */
  readonly canaryPercent: number
}

/** What the splitter is started with, as JSON in its first argument. */
export interface SplitterSettings {
  /** The service as the mesh names it. */
  readonly service: string
  /** 0 takes a free one. */
  readonly port: number
  /** 0 takes a free one. */
  readonly metricsPort: number
}

/** What one version answered since the splitter started. */
export interface VersionCounts {
  /** Requests that it has not answered yet. */
  readonly inFlight: number
  readonly requestsByStatus: Readonly<Record<string, number>>
  /** By duration, over `judgeBoundsMs`. */
  readonly latencyCounts: readonly number[]
  /** By RPC, such as `/shop.v1.Shop/Get`; those beyond the first ones are together under `other`. */
  readonly methods: Readonly<Record<string, MethodCounts>>
}

/** What one version answered to one RPC. */
export interface MethodCounts {
  readonly requests: number
  readonly byStatus: Readonly<Record<string, number>>
}

export type SplitterCounts = Readonly<Record<string, VersionCounts>>

/** From the deployer to the splitter, over the channel that the splitter lives by. */
export type SplitterRequest =
  | { readonly kind: 'route'; readonly id: number; readonly routing: Routing }
  | { readonly kind: 'read'; readonly id: number }

/** From the splitter to the deployer. The first is `listening` or `failed`. */
export type SplitterReport =
  | { readonly kind: 'listening'; readonly port: number; readonly metricsPort: number }
  | { readonly kind: 'failed'; readonly use: 'traffic' | 'metrics'; readonly code: string }
  | { readonly kind: 'routed'; readonly id: number }
  | { readonly kind: 'counts'; readonly id: number; readonly counts: SplitterCounts }
