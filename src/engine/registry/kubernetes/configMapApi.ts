import { z } from 'zod'
import { AppError } from '../../../shared/errors.ts'
import { type CallOptions, callApi, streamApi } from './apiCall.ts'
import { statusFailure } from './apiFailure.ts'
import type { ClusterAccess } from './clusterAccess.ts'
import { ConfigMap } from './configMap.ts'

/** What can be asked about one ConfigMap. Errors as in {@link callApi}. */
export interface ConfigMapApi {
  /** The map, or null when there is none, and the version to watch from. */
  list(): Promise<{ readonly map: ConfigMap | null; readonly version: string }>
  get(): Promise<ConfigMap | null>
  /** Only its version (S1.27), without its content where the API server can do that; null when there is none. */
  version(signal: AbortSignal): Promise<string | null>
  watch(from: string, signal: AbortSignal): AsyncGenerator<WatchEvent>
  /** Changes one key, unless somebody else has written since `resourceVersion`. */
  setKey(key: string, text: string, resourceVersion: string): Promise<void>
}

export type WatchEvent =
  | { readonly kind: 'there'; readonly map: ConfigMap }
  | { readonly kind: 'deleted' }
  /** Nothing has changed up to here. */
  | { readonly kind: 'bookmark' }

interface ApiOptions extends CallOptions {
  readonly namespace: string
  readonly name: string
  readonly watchSeconds: number
  readonly watchGraceMs: number
}

const MapList = z.object({
  metadata: z.object({ resourceVersion: z.string().min(1) }),
  items: z.array(ConfigMap).nullish(),
})
const Metadata = ConfigMap.pick({ metadata: true })
const Event = z.object({ type: z.string(), object: z.unknown() })
const Status = z.object({ code: z.int().optional(), message: z.string().optional() })

/** https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches */
const metadataOnly = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json'
/** Who wrote which field, for people who look at managed fields. */
const fieldManager = 'lockstep'

export function configMapApi(access: ClusterAccess, options: ApiOptions): ConfigMapApi {
  const { namespace, name, watchSeconds, watchGraceMs } = options
  const maps = `/api/v1/namespaces/${encodeURIComponent(namespace)}/configmaps`
  const one = `${maps}/${encodeURIComponent(name)}`
  const onlyThis = { fieldSelector: `metadata.name=${name}` }
  const aim = (verb: string): string => `${verb} the ConfigMap ${namespace}/${name}`
  const readOne = (accept: string, signal: AbortSignal): Promise<unknown> =>
    callApi(access, { method: 'GET', path: one, accept, aim: aim('read') }, { ...options, signal }).catch(
      nullWhenNotThere,
    )
  const shaped = <Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> => {
    const read = schema.safeParse(value)
    if (read.success) return read.data
    throw new AppError(
      'REGISTRY_SOURCE_UNREACHABLE',
      `Cannot ${aim('read')}: what ${access.server.origin} answered is no ConfigMap. Is it a Kubernetes API server?`,
    )
  }
  return {
    list: async () => {
      const answer = await callApi(access, { method: 'GET', path: maps, query: onlyThis, aim: aim('list') }, options)
      const { items, metadata } = shaped(MapList, answer)
      // By name once more: a server that does not know the selector gives all maps.
      const map = items?.find((item) => item.metadata.name === name) ?? null
      return { map, version: metadata.resourceVersion }
    },
    get: async () => {
      const answer = await readOne('application/json', options.signal)
      return answer === null ? null : shaped(ConfigMap, answer)
    },
    version: async (signal) => {
      const answer = await readOne(metadataOnly, signal)
      return answer === null ? null : shaped(Metadata, answer).metadata.resourceVersion
    },
    watch: async function* (from, signal) {
      const query = {
        ...onlyThis,
        watch: 'true',
        resourceVersion: from,
        allowWatchBookmarks: 'true',
        timeoutSeconds: String(watchSeconds),
      }
      const openMs = watchSeconds * 1_000 + watchGraceMs
      const call = { method: 'GET', path: maps, query, aim: aim('watch') } as const
      for await (const line of streamApi(access, call, { ...options, signal, openMs })) {
        const { type, object } = shaped(Event, line)
        if (type === 'ERROR') throw streamedFailure(object)
        const event = eventOf(type, object)
        if (event !== null) yield event
      }
    },
    setKey: async (key, text, resourceVersion) => {
      const patch = { metadata: { resourceVersion }, data: { [key]: text } }
      const call = { method: 'PATCH', path: one, query: { fieldManager }, patch, aim: aim('write') } as const
      await callApi(access, call, options)
    },
  }

  function streamedFailure(object: unknown): AppError {
    const { code = 500, message = '' } = Status.safeParse(object).data ?? {}
    return statusFailure(code, access.redact(message), { server: access.server.origin, aim: aim('watch') })
  }

  function eventOf(type: string, object: unknown): WatchEvent | null {
    if (type === 'BOOKMARK') return { kind: 'bookmark' }
    const map = shaped(ConfigMap, object)
    if (map.metadata.name !== name) return null
    if (type === 'DELETED') return { kind: 'deleted' }
    return type === 'ADDED' || type === 'MODIFIED' ? { kind: 'there', map } : null
  }
}

function nullWhenNotThere(thrown: unknown): null {
  if (thrown instanceof AppError && thrown.code === 'NOT_FOUND') return null
  throw thrown
}
