import { spawnSync } from 'node:child_process'
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { createRunRig, type RigOptions, type RunRig } from '../../support/runRig.ts'
import { sshdMissing } from '../../support/sshd.ts'
import { createTrust } from '../../support/trust.ts'

describe.skipIf(sshdMissing !== null)(`trust plans${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`, () => {
  const rigs: RunRig[] = []
  const rigWith = async (options: RigOptions = {}): Promise<RunRig> => {
    const rig = await createRunRig(options)
    rigs.push(rig)
    return rig
  }
  const file = (rig: RunRig): string => join(rig.sshd.directory, 'ca', 'trusted_user_ca.pub')
  const operator = { operator: 'tester' }

  afterEach(async () => {
    await Promise.all(rigs.splice(0).map((rig) => rig.dispose()))
  })

  it('S0.18 S0.21 D14 installs our keys, is obeyed, is sent once, and logs in with a certificate of each authority of a rotation', async () => {
    const rig = await rigWith()
    await rig.planOf('trust')
    const first = await rig.run({ plan: 'trust' })
    expect(first.failure).toBeNull()
    const old = (await rig.pki.authorities.trustedUserKeys()).map(({ fingerprint }) => fingerprint)
    expect(first.proof?.verify).toEqual({ mode: 'trust', authorities: old, loggedInWith: old })

    await rig.pki.authorities.startRotation('ssh-user', operator)
    const both = (await rig.pki.authorities.trustedUserKeys()).map(({ fingerprint }) => fingerprint)
    expect(both).toHaveLength(2)
    const second = await rig.run({ plan: 'trust' })
    expect(second.failure).toBeNull()
    expect(second.proof?.verify).toEqual({ mode: 'trust', authorities: both, loggedInWith: both })
    const third = await rig.run({ plan: 'trust' })
    expect(third.visits.find(({ state }) => state === 'PUSH_SYNC')?.outcome).toBe('skipped')
    expect(third.status).toBe('succeeded')
  })

  it('D9 S0.18 reaches a node with a static key, and proves that it may move to certificates', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'ls-key-'))
    const keyFile = join(directory, 'id_fleet')
    try {
      spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', keyFile])
      const rig = await rigWith({ sshd: { authorizedKeys: [await readFile(`${keyFile}.pub`, 'utf8')] } })
      await rig.planOf('trust')
      const node = await rig.addNode({
        id: '01900000-0000-7000-8000-0000000000d9',
        name: 'old-router',
        login: { kind: 'static-key', keyFile },
      })
      const run = await rig.run({ plan: 'trust', node: node.name })
      expect(run.failure).toBeNull()
      const trusted = (await rig.pki.authorities.trustedUserKeys()).map(({ fingerprint }) => fingerprint)
      expect(run.proof?.verify).toEqual({ mode: 'trust', authorities: trusted, loggedInWith: trusted })
      expect(run.proof).toMatchObject({ certificateSerial: null, staticKey: expect.stringMatching(/^SHA256:/) })
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })

  it('refuses to overwrite a file that holds a key of somebody else, and changes nothing', async () => {
    const rig = await rigWith()
    const other = await createTrust()
    await rig.planOf('trust')
    await rig.run({ plan: 'trust' })
    await appendFile(file(rig), `${other.publicKey}\n`)
    const text = await readFile(file(rig), 'utf8')
    const run = await rig.run({ plan: 'trust' })
    expect(run).toMatchObject({ status: 'failed', failure: { code: 'PRECONDITION_FAILED' } })
    expect(run.failure?.evidence).toHaveLength(1)
    expect(await readFile(file(rig), 'utf8')).toBe(text)
    await other.stop()
  })

  it('a file too large to be looked through may hold keys of others, and is not written over', async () => {
    const rig = await rigWith()
    await rig.planOf('trust')
    await rig.run({ plan: 'trust' })
    const before = await readFile(file(rig), 'utf8')
    await appendFile(file(rig), '# padding\n'.repeat(120_000))
    const run = await rig.run({ plan: 'trust' })
    expect(run).toMatchObject({ status: 'failed', failure: { code: 'REMOTE_PERMISSION_DENIED' } })
    expect((await readFile(file(rig), 'utf8')).length).toBeGreaterThan(before.length + 1_000_000)
  })

  it('never delivers a set without the authority that signs our own certificates', async () => {
    const rig = await rigWith()
    await rig.planOf('trust')
    const { authorities } = rig.pki
    const other = await createTrust()
    const service = rig.makeService(rig.store, {
      authorities: { ...authorities, trustedUserKeys: () => other.authorities.trustedUserKeys() },
    })
    await rig.service.stop()
    await service.start()
    const before = await readFile(join(rig.sshd.directory, 'sshd_config'), 'utf8')
    const run = await rig.run({ plan: 'trust' }, service)
    expect(run).toMatchObject({
      status: 'failed',
      failure: { code: 'PRECONDITION_FAILED', short: 'would lock us out' },
    })
    expect(await readFile(join(rig.sshd.directory, 'sshd_config'), 'utf8')).toBe(before)
    await service.stop()
    await other.stop()
  })

  it('a Match block that names another file of trusted keys is seen, and nothing turns green', async () => {
    const rig = await rigWith()
    const path = join(rig.sshd.directory, 'sshd_config')
    const elsewhere = join(rig.sshd.directory, 'user_ca.pub')
    await appendFile(path, `Match User ${rig.sshd.user}\n  TrustedUserCAKeys ${elsewhere}\n`)
    await rig.planOf('trust')
    const run = await rig.run({ plan: 'trust' })
    expect(run).toMatchObject({
      status: 'failed',
      failure: { code: 'SSHD_CONFIG_REFUSED', short: 'another setting wins' },
    })
    expect(run.failure?.evidence.join('\n')).toContain(elsewhere)
    expect((await rig.freshNode()).status).not.toBe('active')
  })

  it('an sshd_config that is broken already is not touched', async () => {
    const rig = await rigWith()
    const path = join(rig.sshd.directory, 'sshd_config')
    await appendFile(path, 'NoSuchOption yes\n')
    const before = await readFile(path, 'utf8')
    await rig.planOf('trust')
    const run = await rig.run({ plan: 'trust' })
    expect(run).toMatchObject({
      status: 'failed',
      failure: { code: 'SSHD_CONFIG_REFUSED', short: 'sshd_config is broken' },
    })
    expect(run.failure?.evidence.join('\n')).toContain('NoSuchOption')
    expect(await readFile(path, 'utf8')).toBe(before)
    await writeFile(path, before.replace('NoSuchOption yes\n', ''))
    expect((await rig.run({ plan: 'trust' })).status).toBe('succeeded')
  })
})
