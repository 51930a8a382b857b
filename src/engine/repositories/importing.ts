import { readSourceConfiguration } from '../../core/repository/sourceConfiguration.ts'
import type { RepositoryImport } from '../../shared/contract/repositories.ts'
import { AppError } from '../../shared/errors.ts'
import type { NodeInput } from '../../shared/model/node.ts'
import type { PlanInput } from '../../shared/model/plan.ts'
import type { Store } from '../ports.ts'
import type { RepositoryService } from './repositoryService.ts'

export interface ImportingDependencies {
  readonly store: Store
  readonly repositories: Pick<RepositoryService, 'add' | 'change'>
  readonly addNodes: (nodes: readonly NodeInput[], operator: string) => Promise<unknown>
  readonly applyPlans: (plans: readonly PlanInput[], operator: string) => Promise<unknown>
  /** What `~` means in paths of this machine. */
  readonly homeDirectory: string
}

export interface ImportOrder {
  readonly text: string
  readonly name: string
  readonly apply: boolean
}

const shownProblems = 5

/**
 * Reads a configuration in the form of the sources; with `apply` it is taken over. Nodes that are registered stay as they
 * are. Safe to repeat.
 *
 * @throws INVALID_INPUT with the field and line of each mistake; then nothing was taken over
 */
export async function importConfiguration(
  dependencies: ImportingDependencies,
  order: ImportOrder,
  operator: string,
): Promise<RepositoryImport> {
  const { store, repositories, homeDirectory } = dependencies
  const result = readSourceConfiguration(order.text, { name: order.name, homeDirectory })
  if (!result.ok) {
    const lines = result.problems.map(({ field, line, message }) =>
      [line === null ? '' : `line ${line}: `, field, field === '' ? '' : ' ', message].join(''),
    )
    const more = lines.length > shownProblems ? `; and ${lines.length - shownProblems} more` : ''
    throw new AppError(
      'INVALID_INPUT',
      `The configuration does not read. ${lines.slice(0, shownProblems).join('; ')}${more}.`,
      {
        data: { problems: result.problems },
      },
    )
  }
  const { read } = result
  const known = new Set((await store.listNodes()).map(({ name }) => name))
  const kept = read.nodes.filter(({ name }) => known.has(name))
  const notes = [...read.notes, ...kept.map(({ name }) => `Node "${name}" is registered already and stays as it is.`)]
  if (order.apply) {
    const before = await store.findRepositoryByName(read.repository.name)
    if (before === null) await repositories.add(read.repository, null, operator)
    else await repositories.change(before.id, { settings: read.repository }, operator)
    const added = read.nodes.filter(({ name }) => !known.has(name))
    if (added.length > 0) await dependencies.addNodes(added, operator)
    if (read.plans.length > 0) await dependencies.applyPlans(read.plans, operator)
  }
  return { ...read, notes }
}
