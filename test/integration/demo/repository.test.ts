import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { IdempotencyKey } from '../../../src/shared/model/ids.ts'
import { isFinal } from '../../../src/shared/model/run.ts'
import { startTestEngine, type TestEngine } from '../../support/engine.ts'
import { runGit } from '../../support/gitRemote.ts'
import { waitFor } from '../../support/waitFor.ts'

let engine: TestEngine

beforeEach(async () => {
  engine = await startTestEngine()
})
afterEach(() => engine.dispose())

describe('the repository of the demo fleet', { timeout: 120_000 }, () => {
  it('S2.1 S2.4 S2.14 goes to three nodes, takes a new commit along, and goes without a trace', async () => {
    const { repositories, demo, plans } = engine.client
    const { nodes } = await demo.up({ nodes: 4, repository: true })
    const [found] = await repositories.list()
    expect(found?.settings.checkout.kind).toBe('here')
    expect(await repositories.commits({ repository: 'demo-project' })).toHaveLength(3)
    const checkout = found?.settings.checkout.kind === 'here' ? found.settings.checkout.directory : ''
    await writeFile(join(checkout, 'settings.yaml'), 'interval_seconds: 30\n')
    await runGit(checkout, 'commit', '--quiet', '--all', '--message', 'Collect even more often')
    await runGit(checkout, 'push', '--quiet', 'origin', 'main')
    // What is there stays, with the new commit.
    await demo.up({ nodes: 4, repository: true })
    expect(await repositories.commits({ repository: 'demo-project' })).toHaveLength(4)

    const order = { idempotencyKey: IdempotencyKey.parse('demo-repository-sync'), repository: 'demo-project' }
    const { runs } = await repositories.sync(order)
    expect(runs).toHaveLength(3)
    for (const { id, nodeName } of runs) {
      const run = await waitFor(
        `run ${id}`,
        async () => {
          const now = await engine.client.runs.get({ runId: id })
          return isFinal(now.status) ? now : null
        },
        { timeoutMs: 60_000 },
      )
      expect([run.failure, run.status]).toEqual([null, 'succeeded'])
      const directory = nodes.find(({ name }) => name === nodeName)?.directory ?? ''
      const settings = await readFile(join(directory, 'home', 'demo-project', 'settings.yaml'), 'utf8')
      expect(settings).toBe('interval_seconds: 30\n')
    }
    await demo.down()
    expect([await repositories.list(), await plans.list()]).toEqual([[], []])
    expect(await readdir(engine.home.repositoriesDirectory)).toEqual([])
  })
})
