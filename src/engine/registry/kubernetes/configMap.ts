import { z } from 'zod'
import { AppError } from '../../../shared/errors.ts'

/** As much of a ConfigMap as we read: https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/config-map-v1/ */
export const ConfigMap = z.object({
  metadata: z.object({ name: z.string(), resourceVersion: z.string().min(1) }),
  data: z.record(z.string(), z.string()).nullish(),
  binaryData: z.record(z.string(), z.string()).nullish(),
})
export type ConfigMap = z.infer<typeof ConfigMap>

interface Wanted {
  readonly namespace: string
  readonly name: string
  /** Null: the only one. */
  readonly key: string | null
}

/**
 * The key of a ConfigMap that holds the registry, and its text.
 *
 * @throws AppError REGISTRY_INVALID naming the keys there are
 */
export function registryText(map: ConfigMap, wanted: Wanted): { readonly key: string; readonly text: string } {
  const key = registryKey(map, wanted)
  return { key, text: map.data?.[key] ?? '' }
}

function registryKey({ data, binaryData }: ConfigMap, { namespace, name, key }: Wanted): string {
  const [texts, binary] = [Object.keys(data ?? {}), Object.keys(binaryData ?? {})]
  const where = `The ConfigMap ${namespace}/${name}`
  if (key !== null) {
    if (texts.includes(key)) return key
    if (binary.includes(key)) throw invalid(`${where} has "${key}" as binaryData. Write it as text, below data`)
    throw invalid(`${where} has no key "${key}" (${keysThere(texts)}). Correct the key in the source`)
  }
  const [only, second] = texts
  if (only !== undefined && second === undefined) return only
  if (second !== undefined)
    throw invalid(`${where} has several keys (${keysThere(texts)}). Name one of them in the source`)
  if (binary.length > 0) throw invalid(`${where} has binaryData only. Write the registry as text, below data`)
  throw invalid(`${where} is empty. Write the registry below data`)
}

function keysThere(keys: readonly string[]): string {
  if (keys.length === 0) return 'it has none'
  const more = keys.length > 20 ? `, and ${keys.length - 20} more` : ''
  return `there are: ${keys.slice(0, 20).join(', ')}${more}`
}

function invalid(sentence: string): AppError {
  return new AppError('REGISTRY_INVALID', `${sentence}.`)
}
