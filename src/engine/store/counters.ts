import type { Statements } from './statements.ts'

export type CounterName = 'event_seq' | 'audit_seq' | 'serial' | 'oldest_event_seq' | 'krl_version'

export const counterQuery = 'SELECT value FROM counters WHERE name = ?'

/**
 * Numbers that only grow. They are read once and written once in a transaction, and kept apart from the rows they
 * number: trimming or losing rows never makes a number come twice.
 */
export class Counters {
  readonly #statements: Statements
  readonly #values = new Map<CounterName, bigint>()
  readonly #changed = new Set<CounterName>()

  constructor(statements: Statements) {
    this.#statements = statements
  }

  get(name: CounterName): bigint {
    const known = this.#values.get(name)
    if (known !== undefined) return known
    const value = this.#statements.integers(counterQuery).get(name) ?? 0n
    this.#values.set(name, value)
    return value
  }

  set(name: CounterName, value: bigint): void {
    this.#values.set(name, value)
    this.#changed.add(name)
  }

  /** Takes the next number. */
  next(name: CounterName): number {
    const value = this.get(name) + 1n
    this.set(name, value)
    return Number(value)
  }

  flush(): void {
    for (const name of this.#changed) {
      this.#statements.change('UPDATE counters SET value = ? WHERE name = ?').run(this.#values.get(name), name)
    }
    this.#changed.clear()
  }
}
