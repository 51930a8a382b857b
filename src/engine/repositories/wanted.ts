import { hash } from 'node:crypto'
import { resolveRef } from '../../core/repository/resolveRef.ts'
import type { CommitHash } from '../../shared/model/repository.ts'
import type { StoreReader } from '../ports.ts'
import type { RepositoryPlan } from './parts.ts'

type WantedReader = Pick<StoreReader, 'findRepositoryByName'>

/** The commit that a plan wants, by the heads that are kept; null while nothing was fetched or the ref is not there. */
export async function wantedCommit(
  plan: Pick<RepositoryPlan, 'spec'>,
  reader: WantedReader,
): Promise<CommitHash | null> {
  const repository = await reader.findRepositoryByName(plan.spec.repository)
  return repository === null ? null : resolveRef(repository, plan.spec.ref)
}

/** Of what the plan delivers: equal commits deliver the same. */
export async function wantedDigest(plan: Pick<RepositoryPlan, 'spec'>, reader: WantedReader): Promise<string> {
  return hash('sha256', `commit ${(await wantedCommit(plan, reader)) ?? ''}`, 'hex')
}
