import { describe, expect, it } from 'vitest'
import { FifoGate } from './fifoGate.ts'

const never = new AbortController().signal

describe('FIFO gate', () => {
  it('admits in order, never more than the limit', async () => {
    const gate = new FifoGate(2)
    const order: number[] = []
    let most = 0
    await Promise.all(
      Array.from({ length: 10 }, async (_, index) => {
        const leave = await gate.enter(never)
        order.push(index)
        most = Math.max(most, gate.inside)
        await Promise.resolve()
        leave()
        leave()
      }),
    )
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(most).toBe(2)
    expect(gate.idle).toBe(true)
  })

  it('who gives up leaves the queue and loses no slot', async () => {
    const gate = new FifoGate(1)
    const leave = await gate.enter(never)
    const controller = new AbortController()
    const givingUp = gate.enter(controller.signal)
    const patient = gate.enter(never)
    controller.abort()
    await expect(givingUp).rejects.toMatchObject({ code: 'CANCELED' })
    await expect(gate.enter(AbortSignal.abort())).rejects.toMatchObject({ code: 'CANCELED' })
    leave()
    ;(await patient)()
    expect(gate.idle).toBe(true)
  })

  it('a lowered limit holds at once and never falls below one', async () => {
    const gate = new FifoGate(8)
    gate.lowerLimit(0)
    const leave = await gate.enter(never)
    let entered = false
    const second = gate.enter(never).then((leaveSecond) => {
      entered = true
      leaveSecond()
    })
    await Promise.resolve()
    expect(entered).toBe(false)
    leave()
    await second
    expect(entered).toBe(true)
  })
})
