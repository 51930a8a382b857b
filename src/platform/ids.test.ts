import { expect, it } from 'vitest'
import { createManualClock } from '../../test/fakes/manualClock.ts'
import { createIdSource } from './ids.ts'

const form = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

it('makes version 7 ids that carry the time', () => {
  const clock = createManualClock(0x0123456789ab)
  const id = createIdSource(clock)()
  expect(id).toMatch(form)
  expect(id.startsWith('01234567-89ab-7')).toBe(true)
})

it('rises strictly while the clock stands, overflows its counter and steps back', () => {
  const clock = createManualClock(1_000_000)
  const next = createIdSource(clock)
  const ids: string[] = []
  for (let index = 0; index < 10_000; index += 1) ids.push(next())
  clock.jumpWallClock(500)
  for (let index = 0; index < 10; index += 1) ids.push(next())
  clock.jumpWallClock(2_000_000)
  ids.push(next())
  expect([...ids].sort()).toEqual(ids)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.every((id) => form.test(id))).toBe(true)
})

it('takes fresh random bytes for each id', () => {
  const next = createIdSource(createManualClock())
  const tails = new Set(Array.from({ length: 2_000 }, () => next().slice(19)))
  expect(tails.size).toBe(2_000)
})
