import type {
  EffectGroup,
  EntryChange,
  RegistryCheck,
  RegistrySave,
  SourceEntries,
} from '../../shared/contract/registry.ts'
import type { SourceId } from '../../shared/model/ids.ts'
import type { PlanOf } from '../../shared/model/plan.ts'
import type {
  NodeRegistry,
  RegistryKind,
  RegistryRevision,
  RegistryService,
  RevisionSource,
} from '../../shared/model/registry.ts'
import type { RegistrySource, SourceInput, SourceState } from '../../shared/model/registrySource.ts'
import type { StoredSource, StoreReader } from './store.ts'

/** What plans of the kinds `routes` and `hosts` deliver: it follows the newest revision of the service registry. */
export interface RegistryContent {
  /** @param reader a transaction, to see what it wrote. No registry yet: no services. */
  of(
    plan: Pick<PlanOf<'routes'>, 'kind' | 'spec'> | Pick<PlanOf<'hosts'>, 'kind' | 'spec'>,
    reader?: Pick<StoreReader, 'getRevision'> & Partial<Pick<StoreReader, 'listRevisions'>>,
  ): Promise<{
    /** The routes file, or the lines of the hosts block. */
    readonly text: string
    /** The registry in the sources' JSON form, for a receiver script; without sensitive values. */
    readonly registryJson: string
    /** 0 for none. */
    readonly registryRevision: number
    readonly services: readonly RegistryService[]
  }>
}

export interface RegistryStore {
  get(
    registry: RegistryKind,
    options: { readonly number?: number; readonly format: 'json' | 'yaml' },
  ): Promise<{ readonly revision: RegistryRevision; readonly text: string } | null>
  owners(registry: RegistryKind): Promise<SourceEntries[]>
  history(
    registry: RegistryKind,
    options: { readonly before?: number; readonly limit: number },
  ): Promise<RegistryRevision[]>
  check(registry: RegistryKind, text: string): Promise<RegistryCheck>
  compare(
    registry: RegistryKind,
    numbers: { readonly from: number; readonly to: number },
  ): Promise<{ readonly changes: EntryChange[]; readonly effects: EffectGroup[] }>
  save(order: SaveOrder): Promise<RegistrySave>
  return(order: {
    readonly registry: RegistryKind
    readonly toNumber: number
    readonly comment: string
    readonly author: string
  }): Promise<RegistryRevision>
  /** Whoever takes sensitive values along, sealed as they are, is in the audit. */
  export(order: {
    readonly registry: RegistryKind
    readonly format: 'json' | 'yaml'
    readonly passphrase?: string
    readonly operator: string
  }): Promise<{ readonly text: string; readonly sealedValues: number; readonly leftOut: number }>
  import(order: SaveOrder & { readonly passphrase?: string }): Promise<RegistrySave>
}

export interface SaveOrder {
  readonly registry: RegistryKind
  readonly text: string
  /** 0 for none; `newest`: whatever there is, for sources, which know no older state. */
  readonly baseNumber: number | 'newest'
  readonly comment: string
  readonly author: string
  readonly source?: RevisionSource
  /** The source whose text this is: it replaces the entries that the source brought before, and no others (S1F.7). */
  readonly sourceId?: SourceId
  /** A person has said that a source may take away as much as it does. */
  readonly acceptRemovals?: boolean
}

/** Follows places outside and saves what they say. */
export interface RegistrySources {
  start(): Promise<void>
  stop(): Promise<void>
  list(): Promise<RegistrySource[]>
  add(input: SourceInput, operator: string): Promise<RegistrySource>
  remove(id: SourceId, operator: string): Promise<void>
  /** `acceptRemovals`: whoever asks means that it may take away as much as it does, this once. */
  refresh(
    id: SourceId,
    options?: { readonly acceptRemovals?: boolean; readonly operator?: string },
  ): Promise<RegistrySource>
  /** Looks at all of them at once: after sleep, on a webhook, at a reconcile. */
  refreshAll(): Promise<void>
}

/** One place that is followed. Made by kind; tells what it reads and how it fares, never throws after `start`. */
export interface SourceFollower {
  /** Resolves when it follows, or has said why not. */
  start(): Promise<void>
  stop(): Promise<void>
  /** Reads it now. */
  refresh(): Promise<void>
}

/** What a follower tells. */
export interface SourceListener {
  /**
   * What the place says now; called for the first look, for every change, and for a look that found nothing new. Rejects
   * never: mistakes become the state.
   *
   * @param origin where a revision of this text says that it came from
   */
  read(text: string, version: string, origin: RevisionSource): Promise<void>
  /** Another state than following. */
  state(state: SourceState): void
}

/** Makes the follower of one place; nothing is read before its `start`. One that can, also writes the status back. */
export type MakeFollower = (source: StoredSource, listener: SourceListener) => SourceFollower & Partial<StatusWriter>

/**
 * Writes status, last sync and last attempt of nodes to where their registry came from (S1.19-21). It is given all nodes,
 * and writes those that are there.
 */
export interface StatusWriter {
  write(registry: NodeRegistry): Promise<void>
}

/** Whoever knows the secret may say that a source has changed; what has changed is then read, never taken from the call. */
export interface RegistryWebhook {
  describe(): Promise<{ readonly enabled: boolean; readonly path: string }>
  enable(operator: string): Promise<{ readonly path: string; readonly secret: string }>
  disable(operator: string): Promise<void>
  /** @throws WEBHOOK_REFUSED when it is off or the signature does not fit, RATE_LIMITED */
  receive(request: { readonly body: Uint8Array; readonly signature: string | null }): Promise<void>
}
