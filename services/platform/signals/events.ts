import type { Log } from '../log.ts'

/** What happens while scraping, told once per outage. Each scrape counts in the series `up`, as in Prometheus. */
export interface ScrapeEvents {
  targetWentAway(target: string, error: Error): void
  targetCameBack(target: string): void
}

export function scrapeEvents(log: Log): ScrapeEvents {
  return {
    targetWentAway: (target, error) => log.warn('scrape_target_away', { target, error }),
    targetCameBack: (target) => log.info('scrape_target_back', { target }),
  }
}
