import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { computeTile } from '../../../src/core/fleet/health.ts'
import { readManagedBlock } from '../../../src/core/sshd/managedBlock.ts'
import { createRunRig, type RigOptions, type RunRig } from '../../support/runRig.ts'
import { sshdMissing } from '../../support/sshd.ts'

describe.skipIf(sshdMissing !== null)(`krl plans${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`, () => {
  const rigs: RunRig[] = []
  const rigWith = async (options: RigOptions = {}): Promise<RunRig> => {
    const rig = await createRunRig(options)
    rigs.push(rig)
    return rig
  }
  const config = (rig: RunRig): Promise<string> => readFile(join(rig.sshd.directory, 'sshd_config'), 'utf8')
  const list = (rig: RunRig): string => join(rig.sshd.directory, 'lockstep.krl')

  afterEach(async () => {
    await Promise.all(rigs.splice(0).map((rig) => rig.dispose()))
  })

  it('U9 F55 F56 delivers the list, switches it on, and proves that a revoked certificate is refused', async () => {
    const rig = await rigWith()
    const before = await config(rig)
    await rig.planOf('krl')
    const run = await rig.run({ plan: 'krl' })
    expect(run.failure).toBeNull()
    expect(run).toMatchObject({
      status: 'succeeded',
      proof: { filesVerified: 1, verify: { mode: 'krl', krlVersion: 0 } },
    })
    expect((await config(rig)).endsWith(before)).toBe(true)
    expect(readManagedBlock(await config(rig))).toEqual({ krl: [`RevokedKeys ${list(rig)}`] })
    const { bytes, status } = await rig.pki.revocations.current()
    expect(Buffer.compare(await readFile(list(rig)), bytes)).toBe(0)
    expect(run.proof?.digest).toBe(status.digest)
    const node = await rig.freshNode()
    expect(node.krl?.version).toBe(0)
    expect(computeTile(node, Date.now()).fill).toBe('in-step')
    const serial = run.proof?.verify.mode === 'krl' ? run.proof.verify.refusedSerial : null
    expect(await rig.sshd.log()).toMatch(new RegExp(`revoked|serial ${serial}`, 'i'))
    expect(run.visits.map(({ state, outcome }) => `${state} ${outcome}`)).toContain('PULL_SYNC skipped')
  })
})
