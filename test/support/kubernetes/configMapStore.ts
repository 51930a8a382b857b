import { randomUUID } from 'node:crypto'

/** A ConfigMap as the API serves it. */
export interface ApiConfigMap {
  apiVersion: 'v1'
  kind: 'ConfigMap'
  metadata: {
    name: string
    namespace: string
    uid: string
    resourceVersion: string
    creationTimestamp: string
    annotations?: Record<string, string>
    labels?: Record<string, string>
  }
  data?: Record<string, string>
  binaryData?: Record<string, string>
  immutable?: boolean
}

export interface MapEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: ApiConfigMap
  readonly version: number
}

/** What the API answers when it says no. */
export class ApiStatus extends Error {
  readonly code: number
  readonly reason: string

  constructor(code: number, reason: string, message: string) {
    super(message)
    this.code = code
    this.reason = reason
  }
}

type Listener = (event: MapEvent) => void

/** What etcd is to a cluster: maps, one version that grows with every change, and the changes since some version. */
export class ConfigMapStore {
  readonly #maps = new Map<string, ApiConfigMap>()
  readonly #listeners = new Set<Listener>()
  #events: MapEvent[] = []
  #version = 1_000
  /** Changes up to here are forgotten. */
  #oldest = 0

  get version(): number {
    return this.#version
  }

  list(namespace: string | null): ApiConfigMap[] {
    return [...this.#maps.values()].filter((map) => namespace === null || map.metadata.namespace === namespace)
  }

  get(namespace: string, name: string): ApiConfigMap {
    const map = this.#maps.get(`${namespace}/${name}`)
    if (map === undefined) throw new ApiStatus(404, 'NotFound', `configmaps "${name}" not found`)
    return map
  }

  create(namespace: string, wanted: Partial<ApiConfigMap>): ApiConfigMap {
    const name = wanted.metadata?.name ?? ''
    if (this.#maps.has(`${namespace}/${name}`))
      throw new ApiStatus(409, 'AlreadyExists', `configmaps "${name}" already exists`)
    const creationTimestamp = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
    return this.#put('ADDED', wanted, { name, namespace, uid: randomUUID(), creationTimestamp })
  }

  replace(namespace: string, wanted: Partial<ApiConfigMap>): ApiConfigMap {
    const before = this.get(namespace, wanted.metadata?.name ?? '')
    const known = wanted.metadata?.resourceVersion
    if (known !== undefined && known !== '' && known !== before.metadata.resourceVersion)
      throw new ApiStatus(
        409,
        'Conflict',
        `Operation cannot be fulfilled on configmaps "${before.metadata.name}": the object has been modified`,
      )
    if (before.immutable === true && JSON.stringify(before.data) !== JSON.stringify(wanted.data))
      throw new ApiStatus(422, 'Invalid', 'data: Forbidden: field is immutable when `immutable` is set')
    const { name, uid, creationTimestamp } = before.metadata
    return this.#put('MODIFIED', wanted, { name, namespace, uid, creationTimestamp })
  }

  remove(namespace: string, name: string): ApiConfigMap {
    const before = this.get(namespace, name)
    this.#maps.delete(`${namespace}/${name}`)
    this.#version += 1
    const object = { ...before, metadata: { ...before.metadata, resourceVersion: String(this.#version) } }
    this.#tell({ type: 'DELETED', object, version: this.#version })
    return object
  }

  /** Changes after `version`. @throws ApiStatus 410 when some of them are forgotten */
  since(version: number): readonly MapEvent[] {
    if (version < this.#oldest)
      throw new ApiStatus(410, 'Expired', `too old resource version: ${version} (${this.#oldest})`)
    return this.#events.filter((event) => event.version > version)
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Forgets all changes, as etcd does every five minutes. Something else in the cluster has changed since. */
  compact(): void {
    this.#version += 1
    this.#oldest = this.#version
    this.#events = []
  }

  /** As after the loss of the disk: nothing there, and versions start again. */
  lose(): void {
    this.#maps.clear()
    this.#events = []
    this.#version = 1
    this.#oldest = 0
  }

  #put(
    type: 'ADDED' | 'MODIFIED',
    wanted: Partial<ApiConfigMap>,
    fixed: Omit<ApiConfigMap['metadata'], 'resourceVersion'>,
  ): ApiConfigMap {
    const before = this.#maps.get(`${fixed.namespace}/${fixed.name}`)
    const { annotations, labels } = wanted.metadata ?? {}
    const metadata = {
      ...fixed,
      ...(annotations === undefined ? {} : { annotations }),
      ...(labels === undefined ? {} : { labels }),
    }
    const { data, binaryData, immutable } = wanted
    const object = (resourceVersion: string): ApiConfigMap => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { ...metadata, resourceVersion },
      ...(data === undefined ? {} : { data }),
      ...(binaryData === undefined ? {} : { binaryData }),
      ...(immutable === undefined ? {} : { immutable }),
    })
    // A write that changes nothing makes no version, and nobody is told.
    if (before !== undefined && canonical(before) === canonical(object(before.metadata.resourceVersion))) return before
    this.#version += 1
    const after = object(String(this.#version))
    this.#maps.set(`${fixed.namespace}/${fixed.name}`, after)
    this.#tell({ type, object: after, version: this.#version })
    return after
  }

  #tell(event: MapEvent): void {
    this.#events.push(event)
    for (const listener of [...this.#listeners]) listener(event)
  }
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([left], [right]) => (left < right ? -1 : 1)))
      : inner,
  )
}
