import { describe, expect, it } from 'vitest'
import {
  decideLock,
  type FoundLock,
  type HolderFacts,
  isOurs,
  type LockContent,
  type LockSelf,
  lockContentOf,
  readLockContent,
  reportedLock,
} from './lock.ts'

const self: LockSelf = {
  pid: 100,
  startTime: '2026-01-07T09:31:12Z',
  hostname: 'agent-01',
  process: 'boot:500',
  runKeys: ['key-of-this-run'],
}
const content: LockContent = {
  pid: 1234,
  start_time: '2026-01-07T09:00:00Z',
  hostname: 'agent-01',
  run_id: 'a9f3e1',
  process: 'boot:100',
}
const held = (change: Partial<LockContent> = {}): FoundLock => ({ status: 'held', content: { ...content, ...change } })
const alive: HolderFacts = { alive: true, process: 'boot:100', startedAtMs: Date.parse('2026-01-07T08:59:59Z') }
const gone: HolderFacts = { alive: false, process: null, startedAtMs: null }
const kindOf = (found: FoundLock, holder: HolderFacts): string => decideLock(found, self, holder).kind

describe('what the agent does about the lock it finds', () => {
  it('S0.48 takes a lock that is not there', () => {
    expect(kindOf({ status: 'absent' }, gone)).toBe('take')
  })

  it('S0.49 S0.50 leaves a lock whose process lives, and says who it is', () => {
    expect(decideLock(held(), self, alive)).toEqual({ kind: 'yield', holder: content })
  })

  it('S0.51 reclaims the lock of a process that is gone or a zombie', () => {
    expect(decideLock(held(), self, gone)).toMatchObject({ kind: 'reclaim', reason: 'dead' })
    expect(decideLock(held(), self, { ...alive, alive: false })).toMatchObject({ kind: 'reclaim', reason: 'dead' })
  })

  it('S0.52 reclaims a corrupt lock', () => {
    for (const text of ['', '{', 'null', '[]', '{"pid":0}', '{"pid":12}', JSON.stringify({ ...content, pid: 'x' })])
      expect(decideLock(readLockContent(text), self, gone), text).toMatchObject({ kind: 'reclaim', reason: 'corrupt' })
  })

  it('D7 reclaims a lock whose pid belongs to a later process', () => {
    const later = { alive: true, process: 'boot:900', startedAtMs: Date.parse('2026-01-07T10:00:00Z') }
    expect(decideLock(held(), self, later)).toMatchObject({ kind: 'reclaim', reason: 'pid-reused' })
  })

  it('D7 knows a later process by its start too, when the lock was written by another agent program', () => {
    const { process: _unknown, ...foreignAgent } = content
    const found: FoundLock = { status: 'held', content: foreignAgent }
    const later = { ...alive, startedAtMs: Date.parse('2026-01-07T09:30:00Z') }
    expect(kindOf(found, later)).toBe('reclaim')
    expect(kindOf(found, alive)).toBe('yield')
    expect(kindOf(found, { ...alive, startedAtMs: null })).toBe('yield')
  })

  it('D7 never reclaims a lock of another host, dead or not', () => {
    for (const holder of [alive, gone]) expect(kindOf(held({ hostname: 'agent-02' }), holder)).toBe('foreign')
  })

  it('D5 D6 counts a lock as ours by process, start, host and run together', () => {
    const ours = lockContentOf(self, 'key-of-this-run')
    expect(isOurs({ status: 'held', content: ours }, self)).toBe(true)
    expect(kindOf({ status: 'held', content: ours }, alive)).toBe('keep')
    for (const other of [
      { pid: 101 },
      { start_time: '2026-01-07T09:31:13Z' },
      { hostname: 'agent-02' },
      { run_id: 'another-run' },
      { process: 'boot:501' },
    ])
      expect(isOurs({ status: 'held', content: { ...ours, ...other } }, self), JSON.stringify(other)).toBe(false)
    expect(isOurs({ status: 'absent' }, self)).toBe(false)
  })

  it('S0.53 S0.54 S0.55 S0.56 S0.57 writes pid, start time, host name and run id', () => {
    expect(readLockContent(JSON.stringify(lockContentOf(self, 'a9f3e1')))).toEqual({
      status: 'held',
      content: {
        pid: 100,
        start_time: '2026-01-07T09:31:12Z',
        hostname: 'agent-01',
        run_id: 'a9f3e1',
        process: 'boot:500',
      },
    })
  })

  it('tells the control plane how a lock stands', () => {
    const standing = (found: FoundLock, holder: HolderFacts) => reportedLock(found, self, holder)?.standing
    expect(reportedLock({ status: 'absent' }, self, gone)).toBeNull()
    expect(standing({ status: 'corrupt' }, gone)).toBe('corrupt')
    expect(standing(held(), alive)).toBe('alive')
    expect(standing(held(), gone)).toBe('dead')
    expect(standing(held({ hostname: 'agent-02' }), alive)).toBe('foreign')
    expect(standing({ status: 'held', content: lockContentOf(self, 'key-of-this-run') }, alive)).toBe('ours')
  })
})
