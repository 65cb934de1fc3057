import { luck, normalOf, uniformOf } from './draws.ts'
import type { VersionSpec } from './mesh.ts'
import { faultAt, type Service } from './plan.ts'

/** How long the service works on a span with that key, as the version and the faults of the moment have it. */
export function workMsOf(service: Service, version: VersionSpec, key: number, atMs: number): number {
  let workMs = service.medianMs * (version.workFactor ?? 1)
  if (service.sigma > 0) workMs *= Math.exp(service.sigma * normalOf(key, luck.work))
  const fault = faultAt(service, atMs)
  if (fault === undefined) return workMs
  const isStalled = fault.stallShare > 0 && uniformOf(key, luck.stall) < fault.stallShare
  return workMs * fault.slowFactor + (isStalled ? fault.stallMs : 0)
}

/** Whether the service fails by itself: by its own errors or the version's, or by a fault, which may meet the same request at each try. */
export function failsByItself(
  service: Service,
  version: VersionSpec,
  keys: { readonly span: number; readonly request: number },
  atMs: number,
): boolean {
  const own = service.errorShare + (version.errorShare ?? 0)
  if (own > 0 && uniformOf(keys.span, luck.error) < own) return true
  const fault = faultAt(service, atMs)
  if (fault === undefined || fault.errorShare <= 0) return false
  return uniformOf(fault.isSticky ? keys.request : keys.span, luck.sticky) < fault.errorShare
}
