import { describe, expect, it } from 'vitest'
import type { Run } from '../../../shared/model/run.ts'
import { matchesRun, readFilter } from './runFilter.ts'

const run = { status: 'failed', planName: 'site', nodeName: 'Worker-07', createdAt: 1_000 } as unknown as Run

describe('run list filter', () => {
  it('F19 reads a shared address and leaves out what it does not know', () => {
    expect(readFilter({ status: 'failed,nonsense,halted', since: '1h', node: 'w' })).toEqual({
      node: 'w',
      plan: '',
      statuses: ['failed', 'halted'],
      withinMs: 3_600_000,
    })
    expect(readFilter({ since: 'forever' }).withinMs).toBeNull()
  })

  it.each([
    [{}, true],
    [{ status: 'failed' }, true],
    [{ status: 'running' }, false],
    [{ node: 'worker' }, true],
    [{ node: 'vps' }, false],
    [{ plan: 'site' }, true],
    [{ plan: 'sit' }, false],
    [{ since: '1h' }, false],
  ])('narrows by %j', (query, expected) => {
    expect(matchesRun(run, readFilter(query), 10_000_000)).toBe(expected)
  })
})
