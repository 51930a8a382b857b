import type { RegistryKind } from '../../../../shared/model/registry.ts'

export interface SourceFormValues {
  readonly registry: RegistryKind
  readonly kind: 'file' | 'configMap'
  readonly name: string
  readonly path: string
  readonly namespace: string
  readonly configMap: string
  readonly key: string
  readonly context: string
  readonly kubeconfigFile: string
  readonly writeStatusBack: boolean
  readonly allowUnverifiedTls: boolean
}

export const emptySourceForm: SourceFormValues = {
  registry: 'services',
  kind: 'file',
  name: '',
  path: '',
  namespace: 'default',
  configMap: 'service-registry',
  key: '',
  context: '',
  kubeconfigFile: '',
  writeStatusBack: false,
  allowUnverifiedTls: false,
}

const orNull = (text: string): string | null => (text.trim() === '' ? null : text.trim())

/** What a form means; whether it can be is for the model to say. */
export function sourceInputOf(values: SourceFormValues): unknown {
  const { registry, kind, name } = values
  if (kind === 'file') return { name: name.trim(), registry, place: { kind, path: values.path.trim() } }
  return {
    name: name.trim(),
    registry,
    place: {
      kind,
      namespace: values.namespace.trim(),
      name: values.configMap.trim(),
      key: orNull(values.key),
      context: orNull(values.context),
      kubeconfigFile: orNull(values.kubeconfigFile),
      writeStatusBack: registry === 'nodes' && values.writeStatusBack,
      allowUnverifiedTls: values.allowUnverifiedTls,
    },
  }
}
