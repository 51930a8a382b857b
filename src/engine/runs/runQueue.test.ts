import { describe, expect, it } from 'vitest'
import { aRun } from '../../../test/fakes/aRun.ts'
import { RunQueue } from './runQueue.ts'

const id = (number: number): string => `01900000-0000-7000-8000-${String(number).padStart(12, '0')}`
const run = (number: number, overrides: Parameters<typeof aRun>[0] = {}) => aRun({ id: id(number), ...overrides })
const idsOf = (runs: readonly { readonly id: string }[]): string[] => runs.map((each) => each.id)

describe('the queue of runs', () => {
  it('gives the oldest first, whatever order they came in', () => {
    const queue = new RunQueue()
    for (const number of [3, 1, 2]) queue.put(run(number))
    expect(idsOf(queue.take(0, () => true))).toEqual([id(1), id(2), id(3)])
    expect(queue.size).toBe(0)
  })

  it('S1.74 keeps a run back until its time, and says when that is', () => {
    const queue = new RunQueue()
    queue.put(run(1, { notBefore: 5_000 }))
    queue.put(run(2, { notBefore: 7_000 }))
    expect(queue.take(4_999, () => true)).toEqual([])
    expect(queue.nextDueMs(0)).toBe(5_000)
    expect(queue.nextDueMs(5_000)).toBe(7_000)
    expect(idsOf(queue.take(5_000, () => true))).toEqual([id(1)])
    expect(queue.nextDueMs(7_000)).toBeNull()
  })

  it('leaves those that are not wanted now, and stops asking when there is enough', () => {
    const queue = new RunQueue()
    for (const number of [1, 2, 3, 4]) queue.put(run(number))
    const asked: string[] = []
    const taken = queue.take(0, (each) => {
      asked.push(each.id)
      return each.id === id(3) ? 'enough' : each.id !== id(1)
    })
    expect(idsOf(taken)).toEqual([id(2)])
    expect(asked).toEqual([id(1), id(2), id(3)])
    expect(idsOf(queue.take(0, () => true))).toEqual([id(1), id(3), id(4)])
  })

  it('a run that comes back is offered again in its place, and one that was removed is not', () => {
    const queue = new RunQueue()
    for (const number of [1, 2, 3]) queue.put(run(number))
    expect(idsOf(queue.take(0, (each) => each.id === id(1)))).toEqual([id(1)])
    queue.put(run(1, { notBefore: 1 }))
    queue.remove(run(2).id)
    expect(idsOf(queue.take(1, () => true))).toEqual([id(1), id(3)])
  })

  it('wakes only those that wait for a lock', () => {
    const queue = new RunQueue()
    queue.put(run(1, { state: 'ACQUIRE_LOCK', notBefore: 30_000 }))
    queue.put(run(2, { state: 'PUSH_SYNC', notBefore: 5_000 }))
    queue.wakeLockWaiters(() => true)
    expect(idsOf(queue.take(0, () => true))).toEqual([id(1)])
  })
})
