import type { RegistrySource, SourcePlace } from '../../../../shared/model/registrySource.ts'
import { shellQuote } from '../../../components/CliEquivalent.tsx'

/** Where a source lies, in one line. */
export function placeWords(place: SourcePlace): string {
  if (place.kind === 'file') return place.path
  const { namespace, name, key, context, kubeconfigFile } = place
  const cluster = context === null ? 'the current context' : `context ${context}`
  const where = kubeconfigFile === null ? cluster : `${cluster} of ${kubeconfigFile}`
  return `ConfigMap ${namespace}/${name}${key === null ? '' : `, key ${key}`}, ${where}`
}

export const sourceCli = {
  remove: ({ name }: Pick<RegistrySource, 'name'>): string => `lockstep registry sources remove ${shellQuote(name)}`,
} as const
