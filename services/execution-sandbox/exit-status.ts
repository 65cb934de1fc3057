import { constants } from 'node:os'
import type { Outcome } from './execution.ts'

/** How a program ended by itself. */
export interface End {
  readonly outcome: Outcome
  readonly exitCode?: number
  readonly signal?: string
}

/** Reads a shell's exit status, in which 128 + n stands for signal n. A write beyond the file limit ends in SIGXFSZ. */
export function endOf(status: number): End {
  const signal = Object.entries(constants.signals).find(([, number]) => number === status - 128)?.[0]
  if (signal === 'SIGXFSZ') return { outcome: 'file-limit' }
  return signal ? { outcome: 'signaled', signal } : { outcome: 'exited', exitCode: status }
}
