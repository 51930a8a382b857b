import type { DeleteLimits } from '../../shared/model/plan.ts'
import type { DeletePreview, HaltApproval, HaltReason, RunState } from '../../shared/model/run.ts'

/**
 * Did a person lift this safety stop for this run? What was shown is what was approved: the same revision of the plan,
 * the same direction, and no more deletes than the preview named.
 */
export function isApproved(
  approvals: readonly HaltApproval[],
  reason: HaltReason,
  now: { readonly planRevision?: number; readonly state?: RunState; readonly filesDeleted?: number } = {},
): boolean {
  const covers = <Value>(approved: Value | undefined, asked: Value | undefined): boolean =>
    approved === undefined || asked === undefined || approved === asked
  return approvals.some(
    (approval) =>
      approval.reason === reason &&
      covers(approval.planRevision, now.planRevision) &&
      (reason !== 'mass-delete' || covers(approval.state, now.state)) &&
      (now.filesDeleted ?? 0) <= (approval.filesDeleted ?? Number.POSITIVE_INFINITY),
  )
}

/** A source without files must not reach a side that has some: emptied mounts look like this (U35). */
export function mustHaltForEmptySource(facts: {
  readonly sourceFiles: number
  readonly receiverHasFiles: boolean
}): boolean {
  return facts.sourceFiles === 0 && facts.receiverHasFiles
}

/** Share of the receiver's files that a run deletes, 0 to 1; 0 when it has none. */
export function deleteShare(preview: Pick<DeletePreview, 'filesDeleted' | 'filesOnTarget'>): number {
  return preview.filesOnTarget === 0 ? 0 : Math.min(1, preview.filesDeleted / preview.filesOnTarget)
}

/** More deletes than the plan lets pass without a person's word (F76, N9). */
export function mustHaltForDeletes(
  preview: Pick<DeletePreview, 'filesDeleted' | 'filesOnTarget'>,
  limits: DeleteLimits,
): boolean {
  if (preview.filesDeleted <= limits.freeFiles) return false
  return deleteShare(preview) > limits.maxShare
}

/** Median of the shares of earlier runs; null without history. */
export function usualDeleteShare(shares: readonly number[]): number | null {
  if (shares.length === 0) return null
  const sorted = [...shares].sort((left, right) => left - right)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2
}
