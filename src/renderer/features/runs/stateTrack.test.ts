import { describe, expect, it } from 'vitest'
import { type Run, runStates, type StateVisit } from '../../../shared/model/run.ts'
import { layoutTrack, stoppedIn } from './stateTrack.ts'

const visit = (
  state: StateVisit['state'],
  enteredAt: number,
  leftAt: number | null,
  outcome: StateVisit['outcome'],
  attempt = 1,
): StateVisit => ({
  state,
  attempt,
  enteredAt,
  leftAt,
  outcome,
})
const run = (visits: readonly StateVisit[], finishedAt: number | null = null): Run =>
  ({ visits, finishedAt }) as unknown as Run

describe('state track', () => {
  it('S0.41 draws exactly the eleven states in order, filling the whole width', () => {
    const track = layoutTrack(run([visit('INIT', 0, 10, 'done'), visit('ENSURE_CERT', 10, null, 'active')]), 1010)
    expect(track.map((segment) => segment.state)).toEqual([...runStates])
    expect(track.reduce((sum, segment) => sum + segment.share, 0)).toBeCloseTo(1)
    expect(track.map((segment) => segment.status).slice(0, 3)).toEqual(['done', 'active', 'ahead'])
  })

  it('gives a segment width by its time, and every one a minimum', () => {
    const track = layoutTrack(run([visit('INIT', 0, 1, 'done'), visit('PUSH_SYNC', 1, 9001, 'done')], 9001), 99_999)
    const push = track[5]?.share ?? 0
    expect(push).toBeGreaterThan(0.4)
    for (const segment of track) expect(segment.share).toBeGreaterThanOrEqual(0.05)
  })

  it('S0.86 adds up a state that was entered again by a later attempt', () => {
    const track = layoutTrack(run([visit('PUSH_SYNC', 0, 5, 'retry'), visit('PUSH_SYNC', 10, 20, 'done', 2)]), 20)
    expect(track[5]).toMatchObject({ spentMs: 15, status: 'done' })
    expect(track[5]?.visits).toHaveLength(2)
  })

  it('never draws FAILED as done', () => {
    const failed = run([visit('PUSH_SYNC', 0, 5, 'failed'), visit('FAILED', 5, 6, 'done')], 6)
    expect(layoutTrack(failed, 6).at(-1)?.status).toBe('failed')
    expect(layoutTrack(failed, 6)[7]?.status).toBe('unreached')
    expect(stoppedIn(failed)).toBe('PUSH_SYNC')
  })
})
