import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ExpressSlots, type NodeWay, type Slot } from './expressSlots.ts'

const limits = { open: 4, new: 3, doubtful: 2, slow: 5 }
const ways: readonly NodeWay[] = ['open', 'new', 'doubtful']

describe('who may begin', () => {
  it('S1.72 S1.78 nodes nobody answers at take no slot of others', () => {
    const slots = new ExpressSlots()
    while (slots.free('doubtful', limits) > 0) slots.take('doubtful')
    while (slots.free('new', limits) > 0) slots.take('new')
    expect(slots.free('open', limits)).toBe(limits.open)
  })

  it('S1.78 who takes long gives the slot back and is counted apart, up to a number', () => {
    const slots = new ExpressSlots()
    const taken = Array.from({ length: 4 }, () => slots.take('open'))
    expect(slots.free('open', limits)).toBe(0)
    expect(taken.map((slot) => slots.slowDown(slot, { ...limits, slow: 3 }))).toEqual([true, true, true, false])
    expect(slots.free('open', limits)).toBe(3)
    for (const slot of taken) slots.giveBack(slot)
    expect(slots.inUse).toBe(0)
    expect(slots.free('open', limits)).toBe(limits.open)
  })

  it('neither loses a slot nor makes one, whatever happens in whatever order', () => {
    const anyStep = fc.record({
      what: fc.constantFrom('take', 'giveBack', 'slowDown'),
      way: fc.constantFrom(...ways),
      index: fc.nat(20),
    })
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 80 }), (steps) => {
        const slots = new ExpressSlots()
        const held: Slot[] = []
        for (const { what, way, index } of steps) {
          if (what === 'take' && slots.free(way, limits) > 0) held.push(slots.take(way))
          const slot = held[index]
          if (slot !== undefined && what === 'slowDown') slots.slowDown(slot, limits)
          if (slot !== undefined && what === 'giveBack') slots.giveBack(...(held.splice(index, 1) as [Slot]))
          expect(slots.inUse).toBe(held.length)
          for (const each of ways)
            expect(slots.free(each, limits)).toBe(limits[each] - held.filter(({ kind }) => kind === each).length)
          expect(held.filter(({ kind }) => kind === 'slow').length).toBeLessThanOrEqual(limits.slow)
        }
      }),
    )
  })
})
