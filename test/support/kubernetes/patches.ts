import { ApiStatus } from './configMapStore.ts'

type Json = Record<string, unknown>

/** The kinds of patch kubectl and we send, on objects without lists that merge by key. */
export function patched(before: object, contentType: string, body: string): Json {
  const patch: unknown = JSON.parse(body)
  switch (contentType.split(';')[0]) {
    case 'application/merge-patch+json':
    case 'application/strategic-merge-patch+json':
      return merged(before as Json, patch as Json)
    case 'application/json-patch+json':
      return stepped(before as Json, patch as readonly Step[])
    default:
      throw new ApiStatus(415, 'UnsupportedMediaType', `no patch of type ${contentType}`)
  }
}

/** RFC 7396; keys with a dollar are directives of strategic patches, which say nothing about maps of texts. */
function merged(before: Json, patch: Json): Json {
  const after: Json = { ...before }
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$')) continue
    if (value === null) delete after[key]
    else if (typeof value === 'object' && !Array.isArray(value))
      after[key] = merged((after[key] as Json | undefined) ?? {}, value as Json)
    else after[key] = value
  }
  return after
}

interface Step {
  readonly op: string
  readonly path: string
  readonly value?: unknown
}

/** RFC 6902, as far as objects go. */
function stepped(before: Json, steps: readonly Step[]): Json {
  const after = structuredClone(before)
  for (const { op, path, value } of steps) {
    const keys = path
      .split('/')
      .slice(1)
      .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    const last = keys.pop() ?? ''
    let place = after
    for (const key of keys) place = place[key] as Json
    if (op === 'remove') delete place[last]
    else if (op === 'add' || op === 'replace') place[last] = value
    else throw new ApiStatus(422, 'Invalid', `no step ${op}`)
  }
  return after
}
