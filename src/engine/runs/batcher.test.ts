import { describe, expect, it } from 'vitest'
import { Batcher } from './batcher.ts'

describe('work that is done together', () => {
  it('does what was asked for at the same time as one, no more than allowed at once', async () => {
    const sizes: number[] = []
    const batcher = new Batcher<number, number>(
      async (items) => {
        sizes.push(items.length)
        return items.map((item) => item * 2)
      },
      { most: 4 },
    )
    const results = await Promise.all([1, 2, 3, 4, 5, 6].map((item) => batcher.add(item)))
    expect(results).toEqual([2, 4, 6, 8, 10, 12])
    expect(sizes).toEqual([4, 2])
  })

  it('collects while a batch is under way', async () => {
    const sizes: number[] = []
    let open = (): void => undefined
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    let begun = (): void => undefined
    const started = new Promise<void>((resolve) => {
      begun = resolve
    })
    const batcher = new Batcher<number, number>(
      async (items) => {
        sizes.push(items.length)
        begun()
        await gate
        return items
      },
      { most: 10 },
    )
    const first = batcher.add(1)
    await started
    const later = [batcher.add(2), batcher.add(3)]
    open()
    expect(await Promise.all([first, ...later])).toEqual([1, 2, 3])
    expect(sizes).toEqual([1, 2])
  })

  it('one that cannot be done takes nobody along', async () => {
    const batcher = new Batcher<number, number>(
      async (items) => {
        if (items.includes(2)) throw new Error('two')
        return items
      },
      { most: 10 },
    )
    const results = await Promise.allSettled([1, 2, 3].map((item) => batcher.add(item)))
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(await batcher.add(4)).toBe(4)
  })
})
