import { describe, expect, it } from 'vitest'
import { deleteShare, isApproved, mustHaltForDeletes, mustHaltForEmptySource, usualDeleteShare } from './safety.ts'

const limits = { maxShare: 0.25, freeFiles: 10 }

describe('safety stops', () => {
  it('U35 an empty source halts only when the other side has files to lose', () => {
    expect(mustHaltForEmptySource({ sourceFiles: 0, receiverHasFiles: true })).toBe(true)
    expect(mustHaltForEmptySource({ sourceFiles: 0, receiverHasFiles: false })).toBe(false)
    expect(mustHaltForEmptySource({ sourceFiles: 1, receiverHasFiles: true })).toBe(false)
  })

  it('F76 deletes above the share of the plan halt, the free ones never', () => {
    expect(mustHaltForDeletes({ filesDeleted: 26, filesOnTarget: 100 }, limits)).toBe(true)
    expect(mustHaltForDeletes({ filesDeleted: 25, filesOnTarget: 100 }, limits)).toBe(false)
    expect(mustHaltForDeletes({ filesDeleted: 10, filesOnTarget: 10 }, limits)).toBe(false)
    expect(mustHaltForDeletes({ filesDeleted: 1, filesOnTarget: 1 }, { maxShare: 0, freeFiles: 0 })).toBe(true)
  })

  it('the share of an empty target is 0 and never above 1', () => {
    expect(deleteShare({ filesDeleted: 0, filesOnTarget: 0 })).toBe(0)
    expect(deleteShare({ filesDeleted: 5, filesOnTarget: 4 })).toBe(1)
  })

  it('N9 what is usual is the median of earlier runs', () => {
    expect(usualDeleteShare([])).toBeNull()
    expect(usualDeleteShare([0.5, 0, 0.002])).toBe(0.002)
    expect(usualDeleteShare([0, 0.2])).toBe(0.1)
  })

  it('an approval lifts its own reason only', () => {
    const approvals = [{ reason: 'mass-delete', by: 'ann', at: 1 }] as const
    expect(isApproved(approvals, 'mass-delete')).toBe(true)
    expect(isApproved(approvals, 'source-empty')).toBe(false)
  })

  it('U35 an approval holds for the plan, the direction and the number of deletes that were shown, and no more', () => {
    const shown = { planRevision: 3, state: 'PUSH_SYNC', filesDeleted: 100 } as const
    const approvals = [{ reason: 'mass-delete', by: 'eva', at: 1, ...shown }] as const
    expect(isApproved(approvals, 'mass-delete', shown)).toBe(true)
    expect(isApproved(approvals, 'mass-delete', { ...shown, filesDeleted: 99 })).toBe(true)
    expect(isApproved(approvals, 'mass-delete', { ...shown, filesDeleted: 101 })).toBe(false)
    expect(isApproved(approvals, 'mass-delete', { ...shown, planRevision: 4 })).toBe(false)
    expect(isApproved(approvals, 'mass-delete', { ...shown, state: 'PULL_SYNC' })).toBe(false)
  })
})
