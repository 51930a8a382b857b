import { expect, it } from 'vitest'
import { createManualClock } from '../../test/fakes/manualClock.ts'
import { systemClock } from './clock.ts'

it('fires a timer of the system and not a canceled one', async () => {
  const fired: string[] = []
  await new Promise<void>((resolve) => {
    systemClock.setTimer(1, () => fired.push('canceled')).cancel()
    systemClock.setTimer(20, () => {
      fired.push('due')
      resolve()
    })
  })
  expect(fired).toEqual(['due'])
})

it('does not fire at once when the delay exceeds what Node can hold', async () => {
  let fired = false
  const timer = systemClock.setTimer(2 ** 31 + 5, () => {
    fired = true
  })
  await new Promise<void>((resolve) => systemClock.setTimer(10, resolve))
  timer.cancel()
  expect(fired).toBe(false)
})

it('the manual clock fires in order of due time, with timers that set timers', () => {
  const clock = createManualClock(1_000)
  const seen: string[] = []
  clock.setTimer(20, () => seen.push(`b${clock.nowMs()}`))
  clock.setTimer(10, () => {
    seen.push(`a${clock.nowMs()}`)
    clock.setTimer(5, () => seen.push(`c${clock.nowMs()}`))
  })
  clock.advance(30)
  expect(seen).toEqual(['a1010', 'c1015', 'b1020'])
  expect(clock.nowMs()).toBe(1_030)
  expect(clock.pendingTimerCount).toBe(0)
})

it('the manual clock jumps its wall clock without touching the monotonic one', () => {
  const clock = createManualClock(1_000)
  clock.jumpWallClock(0)
  expect(clock.nowMs()).toBe(0)
  expect(clock.monotonicMs()).toBe(0)
})
