import type { ApiConfigMap } from './configMapStore.ts'

/** The form of an answer a client has asked for in its Accept header. */
export type Form = 'object' | 'table' | 'metadata'

export function formOf(accept: string): Form {
  for (const part of accept.split(',')) {
    if (/as=Table/.test(part) && /v=v1(?:;|$|\s)/.test(part)) return 'table'
    if (/as=PartialObjectMetadata(?:;|$)/.test(part)) return 'metadata'
    if (/^\s*(?:application\/json|\*\/\*)\s*(?:;\s*q=.*)?$/.test(part)) return 'object'
  }
  return 'object'
}

interface Representation {
  readonly form: Form
  /** Of the collection. */
  readonly version: string
  readonly includeObject: string | null
}

export function representOne(map: ApiConfigMap, wanted: Representation): object {
  if (wanted.form === 'table') return table([map], { ...wanted, version: map.metadata.resourceVersion })
  return wanted.form === 'metadata' ? metadataOf(map) : map
}

export function representList(maps: readonly ApiConfigMap[], wanted: Representation): object {
  if (wanted.form === 'table') return table(maps, wanted)
  const metadata = { resourceVersion: wanted.version }
  if (wanted.form === 'metadata')
    return { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', metadata, items: maps.map(metadataOf) }
  // Items of a list carry neither kind nor apiVersion.
  const items = maps.map(({ kind: _kind, apiVersion: _version, ...rest }) => rest)
  return { kind: 'ConfigMapList', apiVersion: 'v1', metadata, items }
}

export function bookmark(version: string, form: Form): object {
  const metadata = { resourceVersion: version, creationTimestamp: null }
  if (form === 'table')
    return { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata, columnDefinitions: columns, rows: [] }
  return { kind: 'ConfigMap', apiVersion: 'v1', metadata }
}

function metadataOf({ metadata }: ApiConfigMap): object {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata }
}

const column = (name: string, type = 'string', format = '') => ({ name, type, format, description: '', priority: 0 })
const columns = [column('Name', 'string', 'name'), column('Data', 'string'), column('Age')]

function table(maps: readonly ApiConfigMap[], { version, includeObject }: Representation): object {
  const rows = maps.map((map) => ({
    cells: [map.metadata.name, String(Object.keys({ ...map.data, ...map.binaryData }).length), '1s'],
    object: includeObject === 'Object' ? map : metadataOf(map),
  }))
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { resourceVersion: version },
    columnDefinitions: columns,
    rows,
  }
}
