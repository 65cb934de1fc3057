import assert from 'node:assert/strict'
import { after } from 'node:test'
import { createProver, type ProverSettings } from '../../proof/prover.ts'
import type { Obligation, Verdict } from './obligation.ts'
import { obligationsOf } from './obligations.ts'
import type { MeshPlan } from './plan.ts'

/** A prover for all tests of a file; it ends with them. */
export function proverForTests(settings: ProverSettings = {}) {
  const prover = createProver(settings)
  after(() => prover.close())
  const { signal } = new AbortController()
  const prove = (obligations: readonly Obligation[]) => prover.prove(obligations, signal)
  return {
    prove,
    /** Verdicts by the names of the obligations. */
    proveAll: async (plan: Partial<MeshPlan>): Promise<ReadonlyMap<string, Verdict>> => {
      const verdicts = await prove(obligationsOf({ ...nothing, ...plan }))
      return new Map(verdicts.map((verdict) => [verdict.name, verdict]))
    },
  }
}

export const nothing: MeshPlan = { services: [], edges: [], entries: [] }

export function assertProven(verdict: Verdict | undefined): void {
  assert.equal(verdict?.counterexample?.words ?? verdict?.reason, undefined)
  assert.equal(verdict?.status, 'proven')
}

export function assertRefuted(verdict: Verdict | undefined, words: RegExp): void {
  assert.equal(verdict?.status, 'refuted', verdict?.reason)
  assert.match(verdict?.counterexample?.words ?? '', words)
}

export function assertUnproven(verdict: Verdict | undefined, reason: RegExp): void {
  assert.equal(verdict?.status, 'not proven')
  assert.match(verdict?.reason ?? '', reason)
}
