import type { Store } from '../../src/engine/ports.ts'

export interface DyingStore {
  readonly store: Store
  readonly isDead: () => boolean
  /** Transactions that were asked for. */
  readonly commits: () => number
}

/**
 * The store of a process that is killed at its n-th commit: `before` it, so that the effect of the one before has
 * happened; or right `after` it, so that the commit is durable and nobody acts on it.
 */
export function dyingStore(real: Store, commits: number, moment: 'before' | 'after'): DyingStore {
  let done = 0
  let dead = false
  const die = (): never => {
    dead = true
    throw new Error('this process was killed')
  }
  const transact: Store['transact'] = async (body) => {
    if (dead) return die()
    done += 1
    if (done === commits && moment === 'before') return die()
    const result = await real.transact(body)
    return done >= commits ? die() : result
  }
  const store = new Proxy(real, {
    get: (target, name) => {
      if (name === 'transact') return transact
      const value = Reflect.get(target, name, target) as unknown
      if (typeof value !== 'function') return value
      return (...args: unknown[]) =>
        dead ? Promise.reject(new Error('this process was killed')) : value.apply(target, args)
    },
  })
  return { store, isDead: () => dead, commits: () => done }
}
