import type { KeyObject } from 'node:crypto'
import { Code, ConnectError } from '@connectrpc/connect'
import type { Journal } from '../platform/journal/journal.ts'
import { moveBranch, readBranch, withRepositoryLock } from '../platform/target/refs.ts'
import { openRepository } from '../platform/target/repository.ts'
import { digestOfText } from '../platform/warrant/digest.ts'
import type { WarrantAction } from '../platform/warrant/statement.ts'
import {
  branchOf,
  type ChangeEventData,
  type ChangeState,
  changeIdOf,
  type Proposal,
  type ProposalKey,
  replay,
  streamOf,
} from './change.ts'
import type { Events } from './events.ts'
import { type Committer, messageOf, writeSignedCommit } from './git/commit.ts'
import type { CommitSigner } from './git/signature.ts'
import { Proposals, type Watcher } from './proposals.ts'
import { type ProposeParts, proposeChange } from './propose.ts'
import { removeLeftovers } from './remove-leftovers.ts'
import { planRestoration, type Restoration } from './restore.ts'
import { asConnectError, type Targets } from './targets.ts'
import { requireWarrant } from './warrant.ts'

const maxChanges = 10_000

/** What changes are made with; constructed in main.ts. */
export interface ChangesParts extends ProposeParts {
  readonly journal: Journal
  readonly targets: Targets
  readonly signer: CommitSigner
  readonly committer: Committer
  readonly publicKeys: readonly KeyObject[]
  readonly events: Events
  readonly drain: AbortSignal
}

export interface ProposeWish extends Omit<ProposalKey, 'base'> {
  readonly parameters: Readonly<Record<string, string>>
}

/** The changes of this process's journal. States of each: see `ChangeState`. Every method is idempotent. */
export class Changes {
  readonly #parts: ChangesParts
  readonly #proposals: Proposals

  constructor(parts: ChangesParts) {
    this.#parts = parts
    this.#proposals = new Proposals(parts.drain)
  }

  /** Removes what a killed process left, such as the worktrees of proposals that were not finished. */
  async cleanUp(): Promise<void> {
    const count = await removeLeftovers(this.#parts.dataFolder)
    if (count > 0) this.#parts.events.leftoversRemoved(count)
  }

  /**
   * Proposes a change, or gives the one that was proposed before; a call for one that is under way joins it. The work goes on as
   * long as one caller listens. Errors: ConnectError not_found, failed_precondition with the remedy, unavailable.
   */
  async propose(wish: ProposeWish, watcher: Watcher): Promise<ChangeState> {
    const { objectiveId, turn, target, intervention, parameters } = wish
    const synced = await this.#parts.targets.sync(target)
    const key = { objectiveId, turn, target, intervention, base: synced.head }
    const id = changeIdOf(key)
    return this.#proposals.join(id, watcher, async (signal, report) => {
      const known = await this.#find(id)
      if (known !== undefined) return known
      const onCheck = (check: Proposal['checks'][number]) => this.#parts.events.checkDone(id, check)
      try {
        const proposal = await proposeChange(
          { key, id, synced, parameters, signal, report, onCheck },
          this.#parts,
        )
        return await this.#record(proposal)
      } catch (error) {
        if (this.#parts.drain.aborted) throw stopping(error)
        if (!signal.aborted) this.#parts.events.proposalFailed(id, error)
        throw asConnectError(error)
      }
    })
  }

  async #record(proposal: Proposal): Promise<ChangeState> {
    const { events, journal } = this.#parts
    const { id, intervention, refusal, summary } = proposal
    await journal.append(streamOf(id), 0, [{ type: 'proposed', data: proposal }])
    if (refusal === '') events.changeProposed(id, intervention, summary)
    else events.changeRefused(id, intervention, refusal)
    return this.get(id)
  }

  /** Puts the change on its own branch. Errors: ConnectError not_found, permission_denied, failed_precondition. */
  async commit(id: string, envelope: string): Promise<ChangeState> {
    return this.#alone(id, async (state, gitdir) => {
      if (state.commit !== undefined) return state
      if (state.proposal.refusal !== '')
        throw precondition(`change ${id} was refused: ${state.proposal.refusal}`)
      this.#require(state, envelope, 'commit')
      const head = await readBranch(gitdir, state.proposal.targetBranch)
      if (head !== state.proposal.base) {
        throw precondition(
          `${state.proposal.targetBranch} has moved to ${head?.slice(0, 10)} since the change was proposed: propose it anew`,
        )
      }
      const committing = { atMs: this.#parts.clock.nowMs(), warrantDigest: digestOfText(envelope) }
      const begun =
        state.committing === undefined ? await this.#append(state, 'committing', committing) : state
      return this.#finishCommit(begun, gitdir)
    })
  }

  /** Writes the commit that `committing` describes; after a crash the same one again. */
  async #finishCommit(state: ChangeState, gitdir: string): Promise<ChangeState> {
    const { proposal, committing } = state
    const commit = await this.#write(gitdir, {
      tree: proposal.tree,
      parent: proposal.base,
      atMs: committing?.atMs ?? 0,
      message: commitMessage(proposal, committing?.warrantDigest ?? ''),
    })
    await moveBranch(gitdir, { branch: branchOf(proposal.id), from: undefined, to: commit })
    this.#parts.events.changeCommitted(proposal.id, proposal.intervention, commit)
    return this.#append(state, 'committed', { commit })
  }

  /** Fast-forwards the target branch. Errors: ConnectError not_found, permission_denied, failed_precondition. */
  async promote(id: string, envelope: string): Promise<ChangeState> {
    return this.#alone(id, async (state, gitdir) => {
      if (state.reverting !== undefined) throw precondition(`change ${id} was reverted`)
      if (state.promoted) return state
      if (state.commit === undefined) throw precondition(`change ${id} is not committed`)
      const { targetBranch: branch, base, intervention } = state.proposal
      const head = await readBranch(gitdir, branch)
      // A promotion that a crash cut off has moved the branch already: what is left is to journal it, whatever the warrant's age.
      const moved = head !== undefined && (await openRepository(gitdir).contains(head, state.commit))
      if (!moved) {
        this.#require(state, envelope, 'deploy')
        await moveBranch(gitdir, { branch, from: base, to: state.commit })
      }
      this.#parts.events.changePromoted(id, intervention, branch)
      return this.#append(state, 'promoted', { branch })
    })
  }

  /**
   * Restores the base on the change's branch, and on the target branch where that contains the change. Errors: ConnectError
   * not_found; failed_precondition when a person has to do it, and then nothing has changed.
   */
  async revert(id: string, reason: string): Promise<ChangeState> {
    return this.#alone(id, async (found, gitdir) => {
      const cutOff = found.commit === undefined && found.committing !== undefined
      const state = cutOff ? await this.#finishCommit(found, gitdir) : found
      if (state.commit === undefined || state.revertCommit !== undefined) return state
      const restoration = await planRestoration(gitdir, state)
      const reverting = { atMs: this.#parts.clock.nowMs(), reason }
      const begun = state.reverting === undefined ? await this.#append(state, 'reverting', reverting) : state
      return this.#finishRevert(begun, gitdir, restoration)
    })
  }

  async #finishRevert(state: ChangeState, gitdir: string, restoration: Restoration): Promise<ChangeState> {
    const { proposal, commit = '', reverting } = state
    const message = revertMessage(proposal, commit, reverting?.reason ?? '')
    const atMs = reverting?.atMs ?? 0
    const tree = await openRepository(gitdir).treeOf(proposal.base)
    const reverted = await this.#write(gitdir, { tree, parent: commit, atMs, message })
    await moveBranch(gitdir, { branch: branchOf(proposal.id), from: commit, to: reverted })
    if (restoration.kind !== 'nothing') {
      const { head } = restoration
      const to =
        restoration.kind === 'follow'
          ? reverted
          : await this.#write(gitdir, { tree: restoration.tree, parent: head, atMs, message })
      await moveBranch(gitdir, { branch: proposal.targetBranch, from: head, to })
    }
    this.#parts.events.changeReverted(proposal.id, proposal.intervention, reverted)
    return this.#append(state, 'reverted', { commit: reverted })
  }

  /** Errors: ConnectError not_found. */
  async get(id: string): Promise<ChangeState> {
    const state = await this.#find(id)
    if (state === undefined) throw new ConnectError(`change_id: there is no change "${id}"`, Code.NotFound)
    return state
  }

  /** Newest first. */
  async list(limit: number): Promise<ChangeState[]> {
    const streams = (await this.#parts.journal.streams('change/')).slice(0, maxChanges)
    const found = await Promise.all(
      streams.map(async (stream) => replay(await this.#parts.journal.read(stream))),
    )
    const states = found.filter((state) => state !== undefined)
    return states.toSorted((a, b) => b.createdAtMs - a.createdAtMs).slice(0, limit)
  }

  /** Resolves when no proposal is under way any more, after the drain began. */
  stopped(): Promise<void> {
    return this.#proposals.stopped()
  }

  /** Works on a change with its repository locked, and with its state as it is then. */
  async #alone(
    id: string,
    work: (state: ChangeState, gitdir: string) => Promise<ChangeState>,
  ): Promise<ChangeState> {
    const { target } = (await this.get(id)).proposal
    const gitdir = this.#parts.targets.mirrorOf(target)
    try {
      return await withRepositoryLock(gitdir, async () => work(await this.get(id), gitdir))
    } catch (error) {
      throw asConnectError(error)
    }
  }

  #require(state: ChangeState, envelope: string, action: WarrantAction): void {
    const { publicKeys, clock, events } = this.#parts
    try {
      requireWarrant(state, envelope, { action, publicKeys, nowMs: clock.nowMs() })
    } catch (error) {
      events.warrantRefused(state.proposal.id, (error as Error).message)
      throw error
    }
  }

  #write(
    gitdir: string,
    commit: { tree: string; parent: string; atMs: number; message: string },
  ): Promise<string> {
    const { committer, signer } = this.#parts
    return writeSignedCommit(gitdir, { ...commit, committer }, signer)
  }

  async #append<Type extends keyof ChangeEventData>(
    state: ChangeState,
    type: Type,
    data: ChangeEventData[Type],
  ): Promise<ChangeState> {
    const { id } = state.proposal
    await this.#parts.journal.append(streamOf(id), state.sequence, [{ type, data }])
    return this.get(id)
  }

  async #find(id: string): Promise<ChangeState | undefined> {
    if (!/^[A-Za-z0-9._-]{1,64}$/.test(id)) return undefined
    return replay(await this.#parts.journal.read(streamOf(id)))
  }
}

function commitMessage(proposal: Proposal, warrantDigest: string): string {
  const gates = proposal.checks.map(({ name, detail }) => `- ${name}: ${detail.split('\n', 1)[0]}`)
  return messageOf(subjectOf(proposal), [proposal.summary, '', 'Checks:', ...gates].join('\n'), {
    'Nexus-Change-Id': proposal.id,
    'Nexus-Objective-Id': proposal.objectiveId,
    'Nexus-Recipe': proposal.authorDetail,
    'Nexus-Evidence': proposal.digest,
    'Nexus-Warrant': warrantDigest,
  })
}

/** The first clause of the summary; the whole stands in the body. */
function subjectOf({ intervention, summary }: Proposal): string {
  return `${intervention}: ${summary.split(/: |\. /, 1)[0]}`
}

function revertMessage(proposal: Proposal, commit: string, reason: string): string {
  return messageOf(`Revert ${subjectOf(proposal)}`, reason, {
    'Nexus-Change-Id': proposal.id,
    'Nexus-Objective-Id': proposal.objectiveId,
    'Nexus-Reverts': commit,
  })
}

function stopping(cause: unknown): ConnectError {
  const message = 'NEXUS is stopping: propose the change again'
  return new ConnectError(message, Code.Unavailable, undefined, undefined, cause)
}

function precondition(message: string): ConnectError {
  return new ConnectError(message, Code.FailedPrecondition)
}
