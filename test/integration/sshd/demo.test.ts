import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { IdempotencyKey } from '../../../src/shared/model/ids.ts'
import { PlanInput } from '../../../src/shared/model/plan.ts'
import { isFinal } from '../../../src/shared/model/run.ts'
import { StorageSettings } from '../../../src/shared/model/storage.ts'
import { startTestEngine, type TestEngine } from '../../support/engine.ts'
import { sshdMissing } from '../../support/sshd.ts'

const title = `plans about sshd on the demo fleet${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`

describe.skipIf(sshdMissing !== null)(title, () => {
  let engine: TestEngine
  const settled = (name: string) => engine.runOf(name, (run) => ['succeeded', 'failed', 'halted'].includes(run.status))

  beforeAll(async () => {
    // Spaces and quotes, as a home directory may have them.
    engine = await startTestEngine({ homeDirectory: await mkdtemp(join(tmpdir(), "ls 'd ")) })
    await engine.client.demo.up({ nodes: 5 })
  })
  afterAll(() => engine.dispose())

  const deliver = async (plan: PlanInput): Promise<void> => {
    await engine.client.plans.apply({ plans: [plan] })
    await engine.client.runs.push({
      idempotencyKey: IdempotencyKey.parse(`demo-${plan.name}-000000000000`),
      plans: [plan.name],
      targets: { kind: 'all' },
    })
  }

  it('F56 S0.21 delivers lists and keys to nodes whose configuration lies in their own directory', async () => {
    await deliver(PlanInput.parse({ name: 'krl', kind: 'krl', selector: '*', spec: {} }))
    for (const { name } of await engine.client.nodes.list({})) {
      const run = await settled(name)
      expect(run.failure).toBeNull()
      expect((await engine.node(name)).krl).not.toBeNull()
    }
    const { nodes } = await engine.demo.status()
    for (const { directory } of nodes) {
      const config = await readFile(join(directory, 'etc', 'ssh', 'sshd_config'), 'utf8')
      expect(config).toContain('RevokedKeys')
    }
  })

  it('S0.18 F54 S0.39 delivers keys and host certificates there too, and makes a demo node a storage', async () => {
    await engine.client.certificates.createAuthorities({ kinds: ['ssh-host'] })
    for (const kind of ['trust', 'host-certificate'] as const) {
      await deliver(PlanInput.parse({ name: kind, kind, selector: '*', spec: {} }))
      for (const { name } of await engine.client.nodes.list({})) {
        const run = await engine.runOf(name, (newest) => newest.planKind === kind && isFinal(newest.status))
        expect(run.failure).toBeNull()
      }
    }
    const storage = (await engine.client.nodes.list({})).find(({ kind }) => kind === 'storage')
    if (storage === undefined) throw new Error('no storage in the demo')
    const settings = StorageSettings.parse({
      user: storage.user,
      breakGlass: { kind: 'console', note: 'this machine' },
    })
    const preview = await engine.client.storage.preview({ node: storage.name, settings })
    expect(preview.blockers).toEqual([])
    const made = await engine.client.storage.apply({ node: storage.name, settings, previewDigest: preview.digest })
    expect(made.storage?.backupDirectory).toContain('lockstep-backup/storage-')
    expect((await engine.client.storage.undo({ node: storage.name })).storage).toBeNull()
  })

  it('keeps our lines through a fault and its end', async () => {
    const [first] = (await engine.demo.status()).nodes
    if (first === undefined) throw new Error('no demo node')
    const path = join(first.directory, 'etc', 'ssh', 'sshd_config')
    const before = await readFile(path, 'utf8')
    await engine.demo.fault(first.name, 'wrong-principal')
    await engine.demo.heal(first.name)
    expect(await readFile(path, 'utf8')).toBe(before)
    expect((await engine.client.nodes.check({ node: first.name })).reachability.status).toBe('reachable')
  })
})
