import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { IdempotencyKey } from '../../../src/shared/model/ids.ts'
import { PlanInput } from '../../../src/shared/model/plan.ts'
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
