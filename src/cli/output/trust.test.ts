import { describe, expect, it } from 'vitest'
import { renderRevocationPreview, renderRotation } from './trust.ts'

const progress = { total: 2, proven: 2, waiting: [], outside: [], ready: true }

describe('a rotation on the command line', () => {
  it('F55 names the phase and the command that comes next', () => {
    expect(renderRotation(progress, { kind: 'ssh-user', phase: 'trust' })).toBe(
      'Phase trust: 2 of 2 proven.\nThe next phase may begin: lockstep ca rotate advance --kind ssh-user\n',
    )
    expect(renderRotation(progress, { kind: 'x509', phase: 'rollback' })).toContain('The rotation may end: lockstep')
    expect(renderRotation(null, { kind: 'x509', phase: null })).toBe('No rotation is under way.\n')
  })

  it('F54 F55 says what clients have to trust before another host authority signs, since no node can prove it', () => {
    const nothing = { ...progress, total: 0, proven: 0 }
    const words = renderRotation(nothing, { kind: 'ssh-host', phase: 'trust' })
    expect(words).toContain('lockstep ca export --kind ssh-host')
    expect(words).not.toContain('0 of 0')
    expect(renderRotation(nothing, { kind: 'x509', phase: 'trust' })).toContain('nothing has to follow')
  })

  it('D9 F55 names whom it does not cover', () => {
    const words = renderRotation({ ...progress, outside: ['old-router'] }, { kind: 'ssh-user', phase: 'trust' })
    expect(words).toContain('Not covered, because of static keys: old-router\n')
  })

  it('F55 says who waits, why, and how one is given up', () => {
    const waiting = [{ name: 'worker-02', why: 'it cannot be reached' }]
    const words = renderRotation(
      { ...progress, proven: 1, waiting, ready: false },
      { kind: 'ssh-user', phase: 'trust' },
    )
    expect(words).toContain('1 of 2 proven. Waiting for 1:\n  worker-02: it cannot be reached\n')
    expect(words).toContain('--leave-behind')
  })
})

describe('what a revocation would mean', () => {
  it('F56 says that it keeps working nowhere, instead of nothing', () => {
    const preview = {
      certificates: [],
      skipped: 0,
      nodes: [],
      openRuns: 0,
      openTerminals: 0,
      coveredNodes: 12,
      uncoveredNodes: [],
      staticKeyNodes: [],
    }
    expect(renderRevocationPreview(preview)).toMatch(/keeps working on\s+no node/)
  })
})
