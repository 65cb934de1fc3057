import type { Clock } from '../clock.ts'
import { openRedisJournal } from './journal.redis.ts'
import { openSqliteJournal } from './journal.sqlite.ts'
import { type Journal, JournalInputError } from './journal.ts'

export interface OpenJournalOptions {
  readonly clock: Clock
  /** Told, once each, what in the store's settings lets it lose acknowledged events. */
  readonly onWarning?: (message: string) => void
}

/**
 * Opens a journal by URL: `sqlite:<path>`, `redis://…` or `rediss://…`. Errors: JournalInputError for another URL,
 * JournalUnavailableError when the store cannot be opened.
 */
export async function openJournal(url: string, options: OpenJournalOptions): Promise<Journal> {
  if (/^sqlite:./.test(url)) return openSqliteJournal(url.slice('sqlite:'.length), options)
  if (/^rediss?:\/\//.test(url)) return openRedisJournal(url, options)
  throw new JournalInputError('the URL of a journal begins with sqlite:<path>, redis:// or rediss://')
}
