import type { Service } from './plan.ts'
import type { Spans } from './pools.ts'

/** Puts a span behind those that wait for a worker. */
export function enqueue(service: Service, spans: Spans, span: number): void {
  if (service.queued++ === 0) service.head = span
  else spans.next[service.tail] = span
  service.tail = span
}

/** Takes the span that has waited longest. The queue must not be empty. */
export function dequeue(service: Service, spans: Spans): number {
  const span = service.head
  service.head = spans.next[span]!
  service.queued--
  return span
}
