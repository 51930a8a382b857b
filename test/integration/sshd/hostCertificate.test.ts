import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { exec } from '../../../src/platform/exec.ts'
import { decodeCertificate } from '../../../src/platform/openssh/certificate.ts'
import { parsePublicKeyLine } from '../../../src/platform/openssh/publicKey.ts'
import { createRunRig, type RigOptions, type RunRig } from '../../support/runRig.ts'
import { sshdMissing } from '../../support/sshd.ts'

const title = `host certificates${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`

describe.skipIf(sshdMissing !== null)(title, () => {
  const rigs: RunRig[] = []
  const rigWith = async (options: RigOptions = {}): Promise<RunRig> => {
    const rig = await createRunRig(options)
    rigs.push(rig)
    await rig.pki.authorities.create(['ssh-host'], 'tester')
    return rig
  }
  const at = (rig: RunRig, name: string): string => join(rig.sshd.directory, name)
  const spec = (rig: RunRig) => ({
    keyFile: at(rig, 'host_ed25519.pub'),
    certificateFile: at(rig, 'host_ed25519-cert.pub'),
    names: ['storage.example.org'],
  })
  const serial = async (rig: RunRig): Promise<bigint> =>
    decodeCertificate(parsePublicKeyLine(await readFile(spec(rig).certificateFile, 'utf8')).blob).serial

  afterEach(async () => {
    await Promise.all(rigs.splice(0).map((rig) => rig.dispose()))
  })

  it('F54 U4 D14 signs the accepted host key, and a client that trusts the host authority alone is content', async () => {
    const rig = await rigWith()
    await rig.planOf('host-certificate', spec(rig))
    const run = await rig.run({ plan: 'host-certificate' })
    expect(run.failure).toBeNull()
    const certificate = decodeCertificate(parsePublicKeyLine(await readFile(spec(rig).certificateFile, 'utf8')).blob)
    expect(certificate).toMatchObject({ type: 'host', principals: ['127.0.0.1', rig.node.name, 'storage.example.org'] })
    const node = await rig.freshNode()
    expect(node.hostCertificate?.serial).toBe(String(certificate.serial))
    expect((node.hostCertificate?.validBefore ?? 0) - Date.now()).toBeGreaterThan(29 * 86_400_000)
    const offered = await rig.loginProbe.offeredHostCertificate(node, { timeoutMs: 10_000 })
    expect(offered).not.toBeNull()
    // Whoever compares the accepted key goes on doing so, undisturbed by the certificate.
    const { sshArguments } = await rig.openSsh.prepare(node, 'automation')
    const [command = '', ...args] = sshArguments
    expect(await exec({ command, args: [...args, 'true'], timeoutMs: 20_000 })).toMatchObject({
      exitCode: 0,
      stderr: '',
    })
    expect(
      (await rig.run({ plan: 'host-certificate' })).visits.find(({ state }) => state === 'PUSH_SYNC')?.outcome,
    ).toBe('skipped')
    expect(await serial(rig)).toBe(certificate.serial)
  })

  it('F54 is renewed when less than a third of its life is left', async () => {
    const rig = await rigWith()
    await rig.planOf('host-certificate', spec(rig))
    await rig.run({ plan: 'host-certificate' })
    const first = await serial(rig)
    const key = parsePublicKeyLine(await readFile(spec(rig).keyFile, 'utf8'))
    const [short] = await rig.pki.authority.sign([
      {
        subjectPublicKey: key.blob,
        keyId: 'short',
        principals: ['127.0.0.1', rig.node.name, 'storage.example.org'],
        purpose: 'host',
        // It begins a minute ago: 25 of 85 seconds are left, under a third.
        lifetimeSeconds: 60,
        requestedBy: 'tester',
        reason: 'test',
      },
    ])
    await writeFile(spec(rig).certificateFile, `${short?.certificate}\n`)
    const service = rig.makeService(rig.store, { clockAheadMs: 35_000 })
    await rig.service.stop()
    await service.start()
    const run = await rig.run({ plan: 'host-certificate' }, service)
    expect(run.failure).toBeNull()
    expect(await serial(rig)).not.toBe(first)
    expect(String(await serial(rig))).not.toBe(short?.serial)
    await service.stop()
  })

  it('F54 F55 a revoked certificate does not count: the node gets another before it is green', async () => {
    const rig = await rigWith()
    await rig.planOf('host-certificate', spec(rig))
    await rig.run({ plan: 'host-certificate' })
    const first = String(await serial(rig))
    const [issued] = await rig.store.listCertificates({ serials: [first], nowMs: Date.now(), limit: 10 })
    if (issued === undefined) throw new Error('the issue log does not have it')
    await rig.pki.revocations.revoke([issued.id], { by: 'anna', reason: 'key copied' })
    const run = await rig.run({ plan: 'host-certificate' })
    expect(run.failure).toBeNull()
    expect(String(await serial(rig))).not.toBe(first)
    expect((await rig.freshNode()).hostCertificate?.serial).toBe(String(await serial(rig)))
  })

  it('U4 a host key that nobody accepted is not signed', async () => {
    const rig = await rigWith({ sshd: { hostKeyTypes: ['ed25519', 'ecdsa'] } })
    await rig.planOf('host-certificate', { ...spec(rig), keyFile: at(rig, 'host_ecdsa.pub') })
    const node = await rig.freshNode()
    const [ed25519] = node.hostKeys
    await rig.store.transact((transaction) => transaction.saveNode({ ...node, hostKeys: ed25519 ? [ed25519] : [] }))
    const run = await rig.run({ plan: 'host-certificate' })
    expect(run).toMatchObject({ status: 'failed', failure: { code: 'HOST_KEY_UNKNOWN' } })
    const other = await rigWith()
    await writeFile(spec(rig).keyFile, other.sshd.hostKeys[0] ?? '')
    await rig.planOf('host-certificate', spec(rig))
    const halted = await rig.run({ plan: 'host-certificate' })
    expect(halted).toMatchObject({ status: 'halted', halt: { reason: 'host-key-changed' } })
  })

  it('says that there is no host authority yet', async () => {
    const rig = await createRunRig()
    rigs.push(rig)
    await rig.planOf('host-certificate', spec(rig))
    const run = await rig.run({ plan: 'host-certificate' })
    expect(run).toMatchObject({
      status: 'failed',
      failure: { code: 'PRECONDITION_FAILED', short: 'no host authority' },
    })
  })

  it('U4 U5 a certificate of the host authority does not stand in for an accepted key', async () => {
    const rig = await rigWith()
    const other = await rigWith({ sshd: { address: '127.0.0.1' } })
    await rig.planOf('host-certificate', spec(rig))
    expect((await rig.run({ plan: 'host-certificate' })).failure).toBeNull()
    // The node's record pins another key than the one that the (rightly certified) server shows.
    const node = { ...(await rig.freshNode()), hostKeys: (await other.freshNode()).hostKeys }
    const { sshArguments } = await rig.openSsh.prepare(node, 'automation')
    const [command = '', ...args] = sshArguments
    const result = await exec({ command, args: [...args, 'true'], okExitCodes: 'any', timeoutMs: 20_000 })
    expect(result.exitCode).toBe(255)
    expect(result.stderr).toMatch(/REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed/)
  })
})
