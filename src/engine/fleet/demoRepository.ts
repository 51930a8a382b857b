import type { DemoNode } from '../../shared/model/demo.ts'
import { PlanInput } from '../../shared/model/plan.ts'
import { type Repository, RepositoryInput } from '../../shared/model/repository.ts'
import type { DemoFleetControl, Store } from '../ports.ts'
import type { PlanService } from './planService.ts'

/*
 * What the demo fleet shows of repositories: a small one with a checkout, and a plan that brings it to three nodes.
 */

export interface DemoRepositories {
  add(settings: RepositoryInput, token: null, operator: string): Promise<Repository>
  refresh(reference: string, options: { readonly force: boolean }, operator: string): Promise<Repository>
  remove(reference: string, operator: string): Promise<unknown>
}

export interface DemoRepositoryDependencies {
  readonly store: Pick<Store, 'findPlanByName' | 'findRepositoryByName'>
  readonly plans: PlanService
  readonly repositories: DemoRepositories
}

const name = 'demo-project'
const nodesInPlan = 3

/** What is there stays: somebody may have changed it. */
export async function seedDemoRepository(
  { store, plans, repositories }: DemoRepositoryDependencies,
  control: Pick<DemoFleetControl, 'ensureRepository'>,
  { nodes, operator }: { readonly nodes: readonly DemoNode[]; readonly operator: string },
): Promise<void> {
  const { remoteUrl, checkoutDirectory } = await control.ensureRepository()
  if ((await store.findRepositoryByName(name)) === null) {
    const checkout = { kind: 'here', directory: checkoutDirectory }
    await repositories.add(RepositoryInput.parse({ name, remote: remoteUrl, checkout }), null, operator)
  }
  if ((await store.findPlanByName(name)) === null) {
    const chosen = nodes.slice(0, nodesInPlan).map((node) => `name:"${node.name}"`)
    const spec = { repository: name, target: '~/demo-project', verify: { mode: 'full' } }
    await plans.apply([PlanInput.parse({ name, kind: 'repository', selector: chosen.join(' or '), spec })], operator)
  }
  await repositories.refresh(name, { force: false }, operator)
}

/** Takes plan and repository away; its files go with the fleet. */
export async function removeDemoRepository(
  { store, plans, repositories }: DemoRepositoryDependencies,
  operator: string,
): Promise<void> {
  if ((await store.findPlanByName(name)) !== null) await plans.remove(name, operator)
  if ((await store.findRepositoryByName(name)) !== null) await repositories.remove(name, operator)
}
