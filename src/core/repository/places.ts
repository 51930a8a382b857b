import type { RepositorySpec } from '../../shared/model/plan.ts'

type Places = Pick<RepositorySpec, 'target' | 'targets'>

/** Where the plan's tree goes on the node of this name (S2.19); a leading `~` is expanded there (D17). */
export function directoryOn(spec: Places, nodeName: string): string {
  return Object.hasOwn(spec.targets, nodeName) ? (spec.targets[nodeName] ?? spec.target) : spec.target
}

/** The root of the tree that is in use there: with releases, what `current` points at. */
export function treeOn(spec: Places & Pick<RepositorySpec, 'strategy'>, nodeName: string): string {
  const directory = directoryOn(spec, nodeName).replace(/\/+$/, '')
  return spec.strategy.kind === 'release' ? `${directory}/current` : directory
}

/** What is neither sent nor deleted. The sentinel goes over by itself, after everything else (D16). */
export function excludesOf({
  sentinel,
  excludeDotGit,
  excludes,
}: Pick<RepositorySpec, 'sentinel' | 'excludeDotGit' | 'excludes'>): string[] {
  return [`/${sentinel}`, ...(excludeDotGit ? ['.git'] : []), ...excludes]
}

/** The file that says which commit lies there (S2.6, S2.7). */
export function sentinelOn(spec: Places & Pick<RepositorySpec, 'strategy' | 'sentinel'>, nodeName: string): string {
  return `${treeOn(spec, nodeName)}/${spec.sentinel}`
}
