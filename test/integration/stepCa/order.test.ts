import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { certificateStanding } from '../../../src/core/ca/renewal.ts'
import { defaultMinValidSeconds } from '../../../src/core/ca/validity.ts'
import { exec } from '../../../src/platform/exec.ts'
import type { StepCaClient } from '../../../src/platform/stepCa/client.ts'
import type { CertificateOrder } from '../../../src/platform/stepCa/order.ts'
import { unlockProvisionerKey } from '../../../src/platform/stepCa/provisionerKey.ts'
import { trustedKeysFile } from '../../../src/platform/stepCa/sshAuthorityKeys.ts'
import { sshdMissing, startSshd, type TestSshd } from '../../support/sshd.ts'
import {
  type CaJson,
  startStepCa,
  stepCaMissing,
  stepCaStartTimeoutMs,
  type TestStepCa,
  type TestStepCaOptions,
} from '../../support/stepCa.ts'
import {
  type AgentKey,
  agentKey,
  allExtensions,
  connect,
  failureOf,
  judgeBy,
  orderFor,
  removeDirectory,
  temporaryDirectory,
} from './harness.ts'

const missing = stepCaMissing ?? sshdMissing
if (missing !== null) console.warn(`skipped: ${missing}`)

/** A second name, in the certificate beside the one that was asked for. */
const greedyTemplate = `{
  "type": {{ toJson .Type }},
  "keyId": {{ toJson .KeyID }},
  "principals": ["sync-agent", "root"],
  "extensions": {}
}`

/** Beside the restricted provisioner of the guide: one as step makes it, one that signs more than was asked. */
function addProvisioners({ authority }: CaJson): void {
  const [first] = authority.provisioners
  if (first === undefined) throw new Error('no provisioner')
  const { options: _restricted, ...open } = first
  authority.provisioners.push({ ...open, name: 'open' })
  authority.provisioners.push({ ...first, name: 'greedy', options: { ssh: { template: greedyTemplate } } })
  authority.provisioners.push({ ...open, name: 'no-ssh', claims: { enableSSHCA: false } })
}

describe
  .skipIf(missing !== null)
  .each<Required<Pick<TestStepCaOptions, 'sshKeys'>>>([{ sshKeys: 'ed25519' }, { sshKeys: 'ecdsa' }])(
  'certificates from a step-ca with $sshKeys keys',
  ({ sshKeys }) => {
    let directory: string
    let ca: TestStepCa
    let client: StepCaClient
    let sshd: TestSshd
    let key: AgentKey

    beforeAll(async () => {
      directory = await temporaryDirectory()
      ca = await startStepCa({ directory: join(directory, 'ca'), sshKeys, editConfig: addProvisioners })
      client = await connect(ca)
      key = await agentKey(directory)
      const { user } = await client.sshAuthorityKeys()
      sshd = await startSshd({ trustedUserCa: trustedKeysFile(user).trim(), principals: ['sync-agent'] })
    }, stepCaStartTimeoutMs)
    afterAll(async () => {
      await Promise.all([ca?.stop(), sshd?.stop()])
      await removeDirectory(directory)
    })

    const credential = (provisioner: string) => ({ kind: 'password', provisioner, password: ca.password }) as const
    const login = () =>
      exec({
        command: 'ssh',
        args: [
          ...['-F', 'none', '-i', key.file, '-o', `CertificateFile=${key.certificateFile}`, '-o', 'IdentitiesOnly=yes'],
          ...['-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
          ...['-p', String(sshd.port), `${sshd.user}@${sshd.address}`, 'echo', 'in'],
        ],
        okExitCodes: 'any',
        timeoutMs: 30_000,
      })

    it('S0.26 S0.27 S0.28 S0.39 nobody gets in without a certificate, an agent with one does, each with a serial of its own', async () => {
      await rm(key.certificateFile, { force: true })
      expect(await login()).toMatchObject({ exitCode: 255, stderr: expect.stringContaining('Permission denied') })
      const serials = new Set<bigint>()
      for (let run = 0; run < 2; run += 1) {
        const ordered = await client.orderCertificate(orderFor(ca, key.publicKey, { keyId: `run-${run}` }))
        serials.add(ordered.certificate.serial)
        await writeFile(key.certificateFile, `${ordered.line}\n`)
        expect(await login()).toMatchObject({ exitCode: 0, stdout: 'in\n' })
        expect(await sshd.log()).toContain(`ID run-${run} `)
      }
      expect(serials.size).toBe(2)
    })

    it('S0.20 S0.33 S0.37 is what was asked for, in the eyes of ssh-keygen too: one name, no extension, one hour', async () => {
      const { certificate, line, signerFingerprint } = await client.orderCertificate(orderFor(ca, key.publicKey))
      expect(certificate).toMatchObject({ type: 'user', keyId: 'sync-agent', principals: ['sync-agent'] })
      expect(certificate.validBeforeSeconds - certificate.validAfterSeconds).toBe(3_660)
      const seen = spawnSync('ssh-keygen', ['-L', '-f', '-'], { input: `${line}\n`, encoding: 'utf8' }).stdout
      expect(seen).toMatch(/Principals:\s+sync-agent\s+Critical Options: \(none\)\s+Extensions: \(none\)/)
      expect(seen).toContain(`Signing CA: ${sshKeys === 'ecdsa' ? 'ECDSA' : 'ED25519'} ${signerFingerprint}`)
      expect((await client.sshAuthorityKeys()).user.map(({ fingerprint }) => fingerprint)).toContain(signerFingerprint)
    })

    it('S0.38 one that was just made needs no renewal yet; one for less than an hour does', async () => {
      const standing = async (lifetimeSeconds: number): Promise<string> => {
        const { certificate } = await client.orderCertificate(orderFor(ca, key.publicKey, { lifetimeSeconds }))
        const period = {
          validAfter: certificate.validAfterSeconds * 1000,
          validBefore: certificate.validBeforeSeconds * 1000,
        }
        return certificateStanding(period, { nowMs: Date.now(), minValidSeconds: defaultMinValidSeconds })
      }
      expect(await standing(16 * 3_600)).toBe('valid')
      expect(await standing(1_800)).toBe('renewable-soon')
    })

    it.each([['root'], ['sync-agent2'], ['SYNC-AGENT']])(
      'S0.19 S0.20 D2 asks for no certificate for %s',
      async (principal) => {
        const asked = (await ca.log()).split('path=/1.0/ssh/sign').length
        const refusal = await failureOf(
          client.orderCertificate(orderFor(ca, key.publicKey, { principals: [principal] })),
        )
        expect(refusal).toMatchObject({
          code: 'CERTIFICATE_POLICY_REFUSED',
          message: expect.stringContaining(principal),
        })
        expect((await ca.log()).split('path=/1.0/ssh/sign')).toHaveLength(asked)
      },
    )

    it.each([[['root']], [['sync-agent', 'root']], [['SYNC-AGENT']]])(
      'S0.19 S0.20 D2 the template of the guide lets the provisioner sign for nobody else, not even when asked: %j',
      async (principals) => {
        const order = orderFor(ca, key.publicKey, { principals, judge: () => [] })
        expect(await failureOf(client.orderCertificate(order))).toMatchObject({
          code: 'AUTHORITY_REFUSED',
          message: expect.stringContaining('this provisioner certifies one user only'),
          data: { status: 400 },
        })
      },
    )

    it('S0.19 the template of the guide signs no host certificate', async () => {
      const order = orderFor(ca, key.publicKey, { type: 'host', judge: () => [] })
      expect(await failureOf(client.orderCertificate(order))).toMatchObject({ code: 'AUTHORITY_REFUSED' })
    })

    it('S0.19 D2 the template of the guide grants a terminal and limits, when they are asked for', async () => {
      const options = { 'force-command': 'echo "limited" $HOME', 'source-address': '127.0.0.0/8' }
      const order = orderFor(ca, key.publicKey, {
        extensions: ['permit-pty'],
        criticalOptions: options,
        judge: judgeBy({ allowedExtensions: ['permit-pty'], allowedCriticalOptions: Object.keys(options) }),
      })
      const { certificate, line } = await client.orderCertificate(order)
      expect({ ...certificate.extensions }).toEqual({ 'permit-pty': '' })
      expect({ ...certificate.criticalOptions }).toEqual(options)
      await writeFile(key.certificateFile, `${line}\n`)
      expect(await login()).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^limited /) })
    })

    it('S0.19 D2 the template of the guide grants nothing else; without a template no limit is granted either', async () => {
      const refusal = async (over: Partial<CertificateOrder>) =>
        (await failureOf(client.orderCertificate(orderFor(ca, key.publicKey, { judge: () => [], ...over })))).data
          ?.flaws
      const lacks = (name: string) => expect.stringContaining(`it lacks ${name}`)
      expect(await refusal({ extensions: allExtensions })).toEqual(
        allExtensions.filter((name) => name !== 'permit-pty').map(lacks),
      )
      expect(await refusal({ criticalOptions: { 'verify-required': 'x' } })).toEqual([lacks('verify-required')])
      const limited = { criticalOptions: { 'source-address': '127.0.0.0/8' }, credential: credential('open') }
      expect(await refusal(limited)).toEqual([lacks('source-address')])
    })

    it('D2 refuses the extensions that step-ca adds unasked, unless our policy allows them', async () => {
      const order = orderFor(ca, key.publicKey, { credential: credential('open') })
      const refusal = await failureOf(client.orderCertificate(order))
      expect(refusal.code).toBe('CERTIFICATE_INVALID')
      expect(refusal.data?.flaws).toHaveLength(allExtensions.length)
      for (const extension of allExtensions) expect(refusal.message).toContain(extension)
      const allowed = await client.orderCertificate({ ...order, judge: judgeBy({ allowedExtensions: allExtensions }) })
      expect(Object.keys(allowed.certificate.extensions).sort()).toEqual(allExtensions)
    })

    it('S0.20 D2 refuses a certificate with a principal more than was asked for', async () => {
      const order = orderFor(ca, key.publicKey, { credential: credential('greedy') })
      expect(await failureOf(client.orderCertificate(order))).toMatchObject({
        code: 'CERTIFICATE_INVALID',
        message: expect.stringContaining('its principals are ["root","sync-agent"]'),
      })
    })

    it('U6 gets a host certificate from a provisioner that may sign one, checked against the host key', async () => {
      const order = orderFor(ca, key.publicKey, {
        type: 'host',
        keyId: 'storage',
        principals: ['storage.internal'],
        credential: credential('open'),
        judge: judgeBy({ principalPattern: '^storage\\.internal$' }),
      })
      const { certificate, signerFingerprint } = await client.orderCertificate(order)
      expect(certificate).toMatchObject({ type: 'host', principals: ['storage.internal'] })
      expect((await client.sshAuthorityKeys()).host.map(({ fingerprint }) => fingerprint)).toEqual([signerFingerprint])
    })

    it('S0.26 takes a token that was made elsewhere, and only once', async () => {
      const [provisioner] = await client.provisioners()
      if (provisioner === undefined) throw new Error('no provisioner')
      const made = await unlockProvisionerKey(client.url, provisioner, ca.password)
      const nowSeconds = Math.floor(Date.now() / 1000)
      const token = made.signToken({
        ...{ iss: made.provisioner, aud: `${client.url}/1.0/ssh/sign`, sub: 'sync-agent', jti: randomUUID() },
        ...{ iat: nowSeconds, nbf: nowSeconds, exp: nowSeconds + 300 },
        step: { ssh: { certType: 'user', keyID: 'sync-agent', principals: ['sync-agent'] } },
      })
      const order = orderFor(ca, key.publicKey, { credential: { kind: 'token', token } })
      expect((await client.orderCertificate(order)).certificate.principals).toEqual(['sync-agent'])
      const second = await failureOf(client.orderCertificate(order))
      expect(second).toMatchObject({ code: 'AUTHORITY_REFUSED', data: { reason: 'not-authorized', status: 401 } })
      expect(second.message).toContain('the token was used before')
    })

    it('S0.8 U6 names what is wrong with a provisioner', async () => {
      const refusal = (provisioner: string) =>
        failureOf(client.orderCertificate(orderFor(ca, key.publicKey, { credential: credential(provisioner) })))
      expect(await refusal('sync-provisoner')).toMatchObject({
        code: 'AUTHORITY_REFUSED',
        message: expect.stringContaining('there are: sync-provisioner, sshpop, open, greedy, no-ssh'),
        data: { reason: 'provisioner-missing' },
      })
      expect(await refusal('sshpop')).toMatchObject({
        code: 'AUTHORITY_REFUSED',
        message: expect.stringContaining('of type SSHPOP; only the key of a JWK provisioner opens with a password'),
        data: { reason: 'provisioner-unsuitable' },
      })
      expect(await refusal('no-ssh')).toMatchObject({
        code: 'AUTHORITY_REFUSED',
        message: expect.stringContaining('SSH is off for the provisioner'),
        data: { reason: 'not-authorized' },
      })
    })

    it.each([60, 25 * 3_600])(
      'D3 step-ca signs for 5 minutes to 24 hours: it refuses %d s, whoever asks',
      async (lifetimeSeconds) => {
        const order = orderFor(ca, key.publicKey, { lifetimeSeconds, judge: () => [] })
        expect(await failureOf(client.orderCertificate(order))).toMatchObject({
          code: 'AUTHORITY_REFUSED',
          data: { reason: 'forbidden', status: 403 },
        })
      },
    )
  },
)
