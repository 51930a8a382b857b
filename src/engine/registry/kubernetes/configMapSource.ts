import { AppError } from '../../../shared/errors.ts'
import type { MakeFollower } from '../../ports.ts'
import { type ConfigMapSource, createConfigMapFollower } from './follower.ts'
import type { ConfigMapPlace } from './kubeconfig.ts'
import { createStatusWriter } from './statusWriter.ts'
import type { ConfigMapDependencies } from './timing.ts'

/** Makes what follows one ConfigMap each, of any number of clusters at once (S1F.7), and writes back where it is asked to. */
export function configMapFollowers(dependencies: ConfigMapDependencies): MakeFollower {
  return (source, listener) => {
    const { place } = source
    if (place.kind !== 'configMap') throw new AppError('INTERNAL', `${source.name} is no ConfigMap`)
    const ofMap: ConfigMapSource = { ...source, place: place satisfies ConfigMapPlace }
    const follower = createConfigMapFollower(ofMap, listener, dependencies)
    if (source.registry !== 'nodes' || !place.writeStatusBack) return follower
    const writer = createStatusWriter(ofMap, dependencies)
    return {
      start: () => follower.start(),
      refresh: () => follower.refresh(),
      stop: async () => {
        await Promise.all([follower.stop(), writer.stop()])
      },
      write: (registry) => writer.write(registry),
    }
  }
}
