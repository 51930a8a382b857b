import type { Repository } from '../../../shared/model/repository.ts'
import type { Checkout } from './checkout.ts'

/** Filters of Git LFS for a checkout, where the repository wants them and the machine has them; else none. */
export async function largeFileSettings(
  checkout: Checkout,
  { largeFiles }: Pick<Repository['settings'], 'largeFiles'>,
): Promise<string[]> {
  if (largeFiles !== 'fetch' || (await checkout.maybe(['lfs', 'version'])) === null) return []
  return [
    'filter.lfs.clean=git-lfs clean -- %f',
    'filter.lfs.smudge=git-lfs smudge -- %f',
    'filter.lfs.process=git-lfs filter-process',
    'filter.lfs.required=true',
  ]
}
