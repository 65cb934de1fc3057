import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { openEmbeddedSource, parseEmbeddedUrl } from './signals.embedded.ts'
import { openPrometheusSource } from './signals.prometheus.ts'
import { type SignalSource, SignalsUnavailableError } from './signals.ts'

interface Shared {
  readonly source: SignalSource
  users: number
}

/** The embedded sources of this process: services that name the same targets share one scraper. */
const embedded = new Map<string, Shared>()

/**
 * Opens a signal source by URL: `embedded:?scrape=http://127.0.0.1:15090/metrics&scrape=…&interval_ms=1000&retention_ms=3600000`
 * or `prometheus:http://host:9090`. Opening does no call. Errors: Error naming what is wrong with the URL.
 */
export function openSignals(url: string, options: { clock: Clock; log: Log }): SignalSource {
  if (/^embedded:($|\?)/.test(url)) return shareEmbedded(url, options)
  if (/^prometheus:https?:\/\//.test(url)) return openPrometheusSource(url.slice('prometheus:'.length))
  throw new Error(
    'the URL of a signal source begins with embedded:, prometheus:http:// or prometheus:https://',
  )
}

function shareEmbedded(url: string, options: { clock: Clock; log: Log }): SignalSource {
  const settings = parseEmbeddedUrl(url)
  const key = JSON.stringify(settings)
  const shared = embedded.get(key) ?? { source: openEmbeddedSource(settings, options), users: 0 }
  shared.users += 1
  embedded.set(key, shared)
  let open = true
  return {
    series: async (query) => {
      if (!open) throw new SignalsUnavailableError('this signal source is closed')
      return shared.source.series(query)
    },
    close: async () => {
      if (!open) return
      open = false
      shared.users -= 1
      if (shared.users > 0) return
      embedded.delete(key)
      await shared.source.close()
    },
  }
}
