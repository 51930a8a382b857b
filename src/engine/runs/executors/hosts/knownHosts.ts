import type { ShadowedName } from '../../../../core/registry/hostsBlock.ts'
import type { NodeId } from '../../../../shared/model/ids.ts'
import type { FileState } from '../../../ports.ts'

/** A hosts file as it was read back last. */
export interface KnownHosts {
  readonly state: FileState
  /** Digest of our lines in it. */
  readonly blockDigest: string
  readonly shadowed: readonly ShadowedName[]
  /** Bytes as latin1; null when it is too large to be kept. */
  readonly text: string | null
}

interface Limits {
  readonly mostFiles: number
  /** Of one file. */
  readonly mostFileBytes: number
  readonly mostBytes: number
}

const usualLimits: Limits = { mostFiles: 20_000, mostFileBytes: 65_536, mostBytes: 33_554_432 }

/**
 * What hosts files of nodes are, so that a change needs one round trip instead of two. A hint only: a file is replaced
 * in the state known here and in no other. The least lately used are forgotten.
 */
export class KnownHostsFiles {
  readonly #limits: Limits
  readonly #files = new Map<string, KnownHosts>()
  readonly #needSudo = new Set<NodeId>()
  #bytes = 0

  constructor(limits: Limits = usualLimits) {
    this.#limits = limits
  }

  get(nodeId: NodeId, path: string): KnownHosts | null {
    const key = `${nodeId} ${path}`
    const known = this.#files.get(key)
    if (known === undefined) return null
    this.#files.delete(key)
    this.#files.set(key, known)
    return known
  }

  set(nodeId: NodeId, path: string, known: KnownHosts & { readonly text: string }): void {
    const key = `${nodeId} ${path}`
    this.#forget(key)
    const kept: KnownHosts = known.text.length > this.#limits.mostFileBytes ? { ...known, text: null } : known
    this.#files.set(key, kept)
    this.#bytes += sizeOf(kept)
    for (const oldest of this.#files.keys()) {
      if (this.#files.size <= this.#limits.mostFiles && this.#bytes <= this.#limits.mostBytes) break
      this.#forget(oldest)
    }
  }

  #forget(key: string): void {
    const known = this.#files.get(key)
    if (known === undefined) return
    this.#bytes -= sizeOf(known)
    this.#files.delete(key)
  }

  needsSudo(nodeId: NodeId): boolean {
    return this.#needSudo.has(nodeId)
  }

  setNeedsSudo(nodeId: NodeId, needs: boolean): void {
    if (needs) this.#needSudo.add(nodeId)
    else this.#needSudo.delete(nodeId)
  }
}

const sizeOf = ({ text }: KnownHosts): number => 200 + (text?.length ?? 0)
