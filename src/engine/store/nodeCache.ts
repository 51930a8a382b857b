import type { NodeId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'

/** What one transaction made of nodes; null: removed. */
export type NodeWrites = Map<NodeId, FleetNode | null>

/**
 * All nodes as they are committed, parsed once: everybody asks for the whole fleet again and again. Whoever gets a node
 * must not change it. What was written and is not committed yet is kept apart, for the transactions that come after it.
 */
export class NodeCache {
  readonly #load: () => readonly FleetNode[]
  #committed: Map<NodeId, FleetNode> | null = null
  /** By name; null after a node came, went or was renamed. */
  #sorted: FleetNode[] | null = null
  #places = new Map<NodeId, number>()
  #pending: NodeWrites = new Map()
  #distrusted = false

  /** @param load reads what is committed, in any order */
  constructor(load: () => readonly FleetNode[]) {
    this.#load = load
  }

  /** By name, as bytes. */
  list(): FleetNode[] {
    const committed = this.#all()
    if (this.#sorted === null) {
      this.#sorted = byName([...committed.values()])
      this.#places = new Map(this.#sorted.map(({ id }, place) => [id, place]))
    }
    return [...this.#sorted]
  }

  /** Undefined when the cache cannot say. */
  get(id: NodeId): FleetNode | null | undefined {
    return this.#committed === null ? undefined : (this.#committed.get(id) ?? null)
  }

  /** As a transaction sees it that wrote `own`; undefined when the cache cannot say. */
  listWithin(own: NodeWrites): FleetNode[] | undefined {
    if (this.#distrusted) return undefined
    if (own.size === 0 && this.#pending.size === 0) return this.list()
    const seen = new Map(this.#all())
    let sameNames = true
    for (const [id, node] of [...this.#pending, ...own]) {
      sameNames &&= seen.get(id)?.name === node?.name
      if (node === null) seen.delete(id)
      else seen.set(id, node)
    }
    return sameNames ? this.list().map(({ id }) => seen.get(id) as FleetNode) : byName([...seen.values()])
  }

  /** As a transaction sees it that wrote `own`; undefined when the cache cannot say. */
  getWithin(own: NodeWrites, id: NodeId): FleetNode | null | undefined {
    const written = own.has(id) ? own.get(id) : this.#pending.get(id)
    if (written !== undefined) return written
    return this.#distrusted ? undefined : this.get(id)
  }

  /** A transaction is done, and will be committed with others. */
  stage(own: NodeWrites): void {
    for (const [id, node] of own) this.#pending.set(id, node)
  }

  /** It is committed. */
  commit(own: NodeWrites): void {
    for (const [id, node] of own) {
      if (this.#pending.get(id) === node) this.#pending.delete(id)
      this.#keep(id, node)
    }
    if (!this.#distrusted) return
    this.#distrusted = false
    this.#forget()
  }

  /** It was staged and is not committed after all: what is known is read again. */
  distrust(): void {
    this.#pending = new Map()
    this.#distrusted = true
    this.#forget()
  }

  #all(): ReadonlyMap<NodeId, FleetNode> {
    this.#committed ??= new Map(this.#load().map((node) => [node.id, node]))
    return this.#committed
  }

  #keep(id: NodeId, node: FleetNode | null): void {
    if (this.#committed === null) return
    const before = this.#committed.get(id)
    if (node === null) this.#committed.delete(id)
    else this.#committed.set(id, node)
    const place = this.#places.get(id)
    if (this.#sorted !== null && node !== null && place !== undefined && before?.name === node.name)
      this.#sorted[place] = node
    else this.#sorted = null
  }

  #forget(): void {
    this.#committed = null
    this.#sorted = null
  }
}

/** As the database orders text: by its bytes. */
function byName(nodes: readonly FleetNode[]): FleetNode[] {
  return nodes
    .map((node) => ({ node, bytes: Buffer.from(node.name) }))
    .sort((left, right) => Buffer.compare(left.bytes, right.bytes))
    .map(({ node }) => node)
}
