import { describe, expect, it } from 'vitest'
import { SharedWork } from './sharedWork.ts'

/** Work that ends when the test says so, or when it is cut. */
function controlled() {
  const begun: AbortSignal[] = []
  const finish: ((value: string) => void)[] = []
  const begin = (signal: AbortSignal): Promise<string> => {
    begun.push(signal)
    return new Promise((resolve, reject) => {
      finish.push(resolve)
      signal.addEventListener('abort', () => reject(new Error('cut')), { once: true })
    })
  }
  return { begun, finish, begin }
}

describe('work that is shared', () => {
  it('S2.14 is done once for all who ask at the same time, and again for who asks later', async () => {
    const { begun, finish, begin } = controlled()
    const shared = new SharedWork<string>()
    const all = Promise.all(Array.from({ length: 50 }, () => shared.join('a', undefined, begin)))
    const other = shared.join('b', undefined, begin)
    finish[0]?.('first')
    finish[1]?.('other')
    expect(new Set(await all)).toEqual(new Set(['first']))
    expect(await other).toBe('other')
    const later = shared.join('a', undefined, begin)
    finish[2]?.('second')
    expect(await later).toBe('second')
    expect(begun).toHaveLength(3)
  })

  it('S2.14 who cancels leaves the others their work; with the last one it is cut', async () => {
    const { begun, finish, begin } = controlled()
    const shared = new SharedWork<string>()
    const [one, two] = [new AbortController(), new AbortController()]
    const left = shared.join('a', one.signal, begin)
    const right = shared.join('a', two.signal, begin)
    one.abort()
    await expect(left).rejects.toMatchObject({ code: 'CANCELED' })
    expect(begun[0]?.aborted).toBe(false)
    finish[0]?.('done')
    expect(await right).toBe('done')

    const alone = new AbortController()
    const cut = shared.join('a', alone.signal, begin)
    alone.abort()
    await expect(cut).rejects.toMatchObject({ code: 'CANCELED' })
    expect(begun[1]?.aborted).toBe(true)
    const fresh = shared.join('a', undefined, begin)
    finish[2]?.('fresh')
    expect(await fresh).toBe('fresh')
  })

  it('S2.14 a failure is everybody’s, and is not kept', async () => {
    const shared = new SharedWork<string>()
    const fail = () => Promise.reject(new Error('no'))
    const both = [shared.join('a', undefined, fail), shared.join('a', undefined, fail)]
    for (const each of both) await expect(each).rejects.toThrow('no')
    expect(await shared.join('a', undefined, async () => 'yes')).toBe('yes')
  })

  it('who has canceled before asking begins nothing; stopping cuts what is under way', async () => {
    const { begun, begin } = controlled()
    const shared = new SharedWork<string>()
    await expect(shared.join('a', AbortSignal.abort(), begin)).rejects.toMatchObject({ code: 'CANCELED' })
    expect(begun).toEqual([])
    const cut = shared.join('a', undefined, begin)
    const failed = expect(cut).rejects.toThrow('cut')
    await shared.stop()
    await failed
  })
})
