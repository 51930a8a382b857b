import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PushTargets } from '../../../../src/shared/contract/runs.ts'
import { IdempotencyKey } from '../../../../src/shared/model/ids.ts'
import { PlanInput } from '../../../../src/shared/model/plan.ts'
import { RepositoryInput } from '../../../../src/shared/model/repository.ts'
import { isFinal, type Run } from '../../../../src/shared/model/run.ts'
import { startTestEngine, type TestEngine } from '../../../support/engine.ts'
import { createGitRemote, type GitRemote } from '../../../support/gitRemote.ts'
import { waitFor } from '../../../support/waitFor.ts'

export interface ServiceRig {
  test: TestEngine
  readonly remote: GitRemote
  readonly nodeNames: readonly string[]
  addRepository(settings?: object, token?: string): Promise<void>
  addPlan(spec?: object, more?: { readonly name?: string; readonly selector?: string }): Promise<void>
  sync(options?: {
    readonly key?: string
    readonly force?: boolean
    readonly plans?: string[]
    readonly targets?: PushTargets
  }): ReturnType<TestEngine['client']['repositories']['sync']>
  /** Once all of them are final or halted. */
  ended(runs: readonly Run[]): Promise<Run[]>
  /** Of a demo node, below its home. */
  onNode(node: string, path: string): string
  read(node: string, path: string): Promise<string>
  dispose(): Promise<void>
}

let keys = 0
export const newKey = (name = 'key'): IdempotencyKey => IdempotencyKey.parse(`${name}-${process.pid}-${++keys}-test`)

export const repositoryName = 'project'
export const planName = 'project-to-nodes'

/** A real engine with a demo fleet and a real bare repository. */
export async function createServiceRig(nodes = 2): Promise<ServiceRig> {
  const remote = await createGitRemote()
  const test = await startTestEngine()
  const status = await test.client.demo.up({ nodes })
  // The plan that the demo seeds would send files of its own.
  await test.client.plans.remove({ plan: 'demo-site' })
  const rig: ServiceRig = {
    test,
    remote,
    nodeNames: status.nodes.map(({ name }) => name),
    addRepository: async (settings = {}, token) => {
      const repository = RepositoryInput.parse({ name: repositoryName, remote: remote.url, ...settings })
      await rig.test.client.repositories.add(token === undefined ? { repository } : { repository, token })
    },
    addPlan: async (spec = {}, { name = planName, selector = '*' } = {}) => {
      const input = {
        name,
        kind: 'repository',
        selector,
        spec: { repository: repositoryName, target: '~/tree', ...spec },
      }
      await rig.test.client.plans.apply({ plans: [PlanInput.parse(input)] })
    },
    sync: ({ key, ...options } = {}) =>
      rig.test.client.repositories.sync({
        idempotencyKey: key === undefined ? newKey('sync') : IdempotencyKey.parse(key),
        repository: repositoryName,
        ...options,
      }),
    ended: (runs) =>
      waitFor(
        `${runs.length} runs`,
        async () => {
          const now = await Promise.all(runs.map(({ id }) => rig.test.client.runs.get({ runId: id })))
          const open = now.find(({ status: word }) => !isFinal(word) && word !== 'halted')
          if (open === undefined) return now
          throw new Error(
            `${open.nodeName}: ${open.status} in ${open.state}, ${open.attempts.at(-1)?.diagnosis?.sentence}`,
          )
        },
        { timeoutMs: 60_000 },
      ),
    onNode: (node, path) => {
      const directory = status.nodes.find(({ name }) => name === node)?.directory
      if (directory === undefined) throw new Error(`no node ${node}`)
      return join(directory, 'home', path)
    },
    read: (node, path) => readFile(rig.onNode(node, path), 'utf8'),
    dispose: async () => {
      await rig.test.dispose()
      await remote.remove()
    },
  }
  return rig
}
