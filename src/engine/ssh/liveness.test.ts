import { describe, expect, it } from 'vitest'
import { createManualClock } from '../../../test/fakes/manualClock.ts'
import { Liveness, type Pulse } from './liveness.ts'

const settings = { askAfterMs: 5_000, answerWithinMs: 5_000, mostPerSecond: 20 }

class FakePulse implements Pulse {
  bytesReceived = 0
  closed = false
  pings = 0
  answers = true

  ping(): void {
    this.pings += 1
    if (this.answers) this.bytesReceived += 1
  }
  giveUp(): void {
    this.closed = true
  }
}

describe('liveness of open connections', () => {
  it('S1.71 gives up one that hangs, and keeps one that answers', () => {
    const clock = createManualClock()
    const liveness = new Liveness(clock, settings)
    const [hanging, answering] = [new FakePulse(), new FakePulse()]
    hanging.answers = false
    for (const pulse of [hanging, answering]) liveness.watch(pulse)
    clock.advance(12_000)
    expect(hanging.closed).toBe(true)
    expect(hanging.pings).toBe(1)
    clock.advance(600_000)
    expect(answering.closed).toBe(false)
    expect(answering.pings).toBeGreaterThan(50)
  })

  it('S1.71 asks nobody who talks', () => {
    const clock = createManualClock()
    const liveness = new Liveness(clock, settings)
    const talking = new FakePulse()
    liveness.watch(talking)
    for (let second = 0; second < 60; second += 1) {
      talking.bytesReceived += 10
      clock.advance(1_000)
    }
    expect(talking.pings).toBe(0)
  })

  it('S1.79 asks so many a second at most, and every one of a thousand in turn', () => {
    const clock = createManualClock()
    const liveness = new Liveness(clock, settings)
    const pulses = Array.from({ length: 1_000 }, () => new FakePulse())
    for (const pulse of pulses) liveness.watch(pulse)
    clock.advance(600_000)
    const pings = pulses.map((pulse) => pulse.pings)
    expect(pings.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(20 * 600)
    expect(Math.min(...pings)).toBeGreaterThanOrEqual(8)
    for (const pulse of pulses) liveness.forget(pulse)
    expect(clock.pendingTimerCount).toBe(0)
  })

  it('S1.79 holds no timer when nothing is open', () => {
    const clock = createManualClock()
    const liveness = new Liveness(clock, settings)
    const pulse = new FakePulse()
    liveness.watch(pulse)
    pulse.closed = true
    clock.advance(1_000)
    expect(clock.pendingTimerCount).toBe(0)
  })
})
