import { assertNever } from '../../shared/errors.ts'

/**
 * What is known of the way to a node before a run begins. `open`: a connection stands. `new`: one has to be made.
 * `doubtful`: the last try found nobody there.
 */
export type NodeWay = 'open' | 'new' | 'doubtful'

/** What a slot is counted as; `slow` is what any of them becomes that takes its time. */
type SlotKind = NodeWay | 'slow'

export interface SlotLimits {
  readonly open: number
  readonly new: number
  readonly doubtful: number
  readonly slow: number
}

export interface Slot {
  kind: SlotKind
}

/**
 * Who may begin. Each kind of way has an allowance of its own, and who takes long gives its slot back and is counted
 * apart, so that nodes that do not answer never hold those that do (S1.72, S1.78).
 */
export class ExpressSlots {
  readonly #used: Record<SlotKind, number> = { open: 0, new: 0, doubtful: 0, slow: 0 }

  get inUse(): number {
    return this.#used.open + this.#used.new + this.#used.doubtful + this.#used.slow
  }

  free(way: NodeWay, limits: SlotLimits): number {
    return Math.max(0, limits[way] - this.#used[way])
  }

  take(way: NodeWay): Slot {
    this.#used[way] += 1
    return { kind: way }
  }

  giveBack(slot: Slot): void {
    this.#used[slot.kind] -= 1
  }

  /** @returns true when it is counted as slow from now on. Doubtful ones are expected to take long and stay as they are. */
  slowDown(slot: Slot, limits: SlotLimits): boolean {
    switch (slot.kind) {
      case 'slow':
      case 'doubtful':
        return false
      case 'open':
      case 'new':
        if (this.#used.slow >= limits.slow) return false
        this.#used[slot.kind] -= 1
        this.#used.slow += 1
        slot.kind = 'slow'
        return true
      default:
        return assertNever(slot.kind)
    }
  }
}
