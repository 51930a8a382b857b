import { generateKeyPairSync } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  type CertificateContent,
  certificateSigner,
  encodeCertificate,
  formatCertificateLine,
} from '../../../src/platform/openssh/certificate.ts'
import { type AuthorityRevocations, encodeKrl } from '../../../src/platform/openssh/krl.ts'
import { fingerprintOf, formatPublicKeyLine, parsePublicKeyLine } from '../../../src/platform/openssh/publicKey.ts'
import { sshdMissing, startSshd, type TestSshd } from '../../support/sshd.ts'
import { waitFor } from '../../support/waitFor.ts'
import { keygen, keygenMissing } from './keygen.ts'
import { createSshClient, type LoginAttempt, type LoginOptions, type SshClient } from './sshLogin.ts'

if (sshdMissing !== null) console.warn(`skipped: ${sshdMissing}`)
if (keygenMissing !== null) console.warn(`skipped: ${keygenMissing}`)
const missing = sshdMissing !== null || keygenMissing !== null

const signer = certificateSigner(generateKeyPairSync('ed25519').privateKey)
const otherSigner = certificateSigner(generateKeyPairSync('ed25519').privateKey)
const nowSeconds = Math.floor(Date.now() / 1000)

/** The client was turned away, and sshd says why. */
async function expectRefused(attempt: LoginAttempt, reason: RegExp): Promise<void> {
  expect(attempt).toMatchObject({ status: 255, stdout: '', stderr: expect.stringContaining('Permission denied') })
  await expectLogged(attempt, reason)
  expect(await attempt.log()).not.toMatch(/Accepted publickey/)
}

async function expectLogged(attempt: LoginAttempt, pattern: RegExp): Promise<void> {
  await waitFor('a line in the log of sshd', async () => {
    const log = await attempt.log()
    if (pattern.test(log)) return true
    throw new Error(`no ${pattern} in: ${log}`)
  })
}

describe.skipIf(missing)('certificates before the judge: sshd', () => {
  let sshd: TestSshd
  let client: SshClient

  beforeAll(async () => {
    sshd = await startSshd({
      trustedUserCa: formatPublicKeyLine(signer.publicBlob),
      principals: ['sync-agent'],
      // Without it sshd keeps to itself that an authority is not listed.
      extraConfig: ['LogLevel DEBUG2'],
    })
    client = await createSshClient(sshd)
  })
  afterAll(async () => {
    await client.stop()
    await sshd.stop()
  })

  it('S0.16 S0.21 S0.22 takes a good one and logs its key id, serial and authority', async () => {
    const attempt = await client.login({ serial: 2n ** 64n - 1n }, { signedBy: signer })
    expect(attempt).toMatchObject({ status: 0, stdout: 'in\n' })
    const authority = escaped(fingerprintOf(signer.publicBlob))
    const accepted = new RegExp(`Accepted .* ID lockstep/test \\(serial ${2n ** 64n - 1n}\\) CA ED25519 ${authority}`)
    await expectLogged(attempt, accepted)
  })

  it.each<[string, Partial<CertificateContent>, RegExp]>([
    ['S0.33 D38 expired', { validBeforeSeconds: nowSeconds - 1 }, /Certificate invalid: expired/],
    ['U10 not yet valid', { validAfterSeconds: nowSeconds + 300 }, /Certificate invalid: not yet valid/],
    ['S0.20 for another principal', { principals: ['root'] }, /does not contain an authorized principal/],
    ['S0.20 for a principal that only begins like ours', { principals: ['sync-agent2'] }, /authorized principal/],
    ['S0.20 for no principal at all', { principals: [] }, /authorized principal/],
    [
      'F50 for another source address',
      { criticalOptions: { 'source-address': '192.0.2.1,10.0.0.0/8' } },
      /not from a permitted source address \(127\.0\.0\.1\)/,
    ],
    [
      'F50 with an option that sshd does not know',
      { criticalOptions: { 'fly-to-the-moon': 'yes' } },
      /critical option "fly-to-the-moon" is not supported/i,
    ],
  ])('%s: refused', async (_label, over, reason) => {
    await expectRefused(await client.login(over, { signedBy: signer }), reason)
  })

  it('F54 made for a host: ssh does not even offer it', async () => {
    const attempt = await client.login({ type: 'host' }, { signedBy: signer })
    await expectRefused(attempt, /Connection closed by authenticating user/)
    expect(await attempt.log()).not.toContain('ED25519-CERT')
  })

  it('F50 from an address it is limited to: taken', async () => {
    const criticalOptions = { 'source-address': '192.0.2.1,127.0.0.0/8' }
    expect(await client.login({ criticalOptions }, { signedBy: signer })).toMatchObject({ status: 0, stdout: 'in\n' })
  })

  it('S0.21 signed by another authority: refused', async () => {
    const attempt = await client.login({}, { signedBy: otherSigner })
    await expectRefused(
      attempt,
      new RegExp(`CA ED25519 ${escaped(fingerprintOf(otherSigner.publicBlob))} is not listed`),
    )
  })

  it('F50 runs the forced command and nothing of what the client asks for', async () => {
    const trace = join(client.directory, 'ran')
    const criticalOptions = { 'force-command': 'echo "forced, not: $SSH_ORIGINAL_COMMAND"' }
    const attempt = await client.login({ criticalOptions }, { signedBy: signer, command: `touch ${trace}` })
    expect(attempt).toMatchObject({ status: 0, stdout: `forced, not: touch ${trace}\n` })
    expect(existsSync(trace)).toBe(false)
    await client.login({}, { signedBy: signer, command: `touch ${trace}` })
    expect(existsSync(trace)).toBe(true)
  })

  it('F50 gives a terminal to a certificate with permit-pty only', async () => {
    const asked = { signedBy: signer, command: 'tty', arguments: ['-tt'] }
    expect(await client.login({}, asked)).toMatchObject({
      status: 255,
      stdout: '',
      stderr: expect.stringContaining('PTY allocation request failed'),
    })
    expect((await client.login({ extensions: { 'permit-pty': '' } }, asked)).stdout).toMatch(/^\/dev\/pts\/\d+\r?\n/)
  })

  it('F50 forwards no port for a certificate without permit-port-forwarding', async () => {
    const forward = { signedBy: signer, arguments: ['-o', 'ExitOnForwardFailure=yes', '-R', '127.0.0.1:0:127.0.0.1:9'] }
    expect((await client.login({}, forward)).status).toBe(255)
    expect((await client.login({ extensions: { 'permit-port-forwarding': '' } }, forward)).status).toBe(0)
  })
})

describe.skipIf(missing)('revocation lists before the judge: sshd', () => {
  let sshd: TestSshd
  let client: SshClient
  let directory: string
  let krlPath: string

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lockstep-krl-'))
    krlPath = join(directory, 'revoked.krl')
    await writeKrl({})
    sshd = await startSshd({
      trustedUserCa: `${formatPublicKeyLine(signer.publicBlob)}\n${formatPublicKeyLine(otherSigner.publicBlob)}`,
      principals: ['sync-agent'],
      extraConfig: [`RevokedKeys ${krlPath}`],
    })
    client = await createSshClient(sshd)
  })
  beforeEach(() => writeKrl({}))
  afterAll(async () => {
    await client.stop()
    await sshd.stop()
    await rm(directory, { recursive: true, force: true })
  })

  let version = 0n
  const writeKrl = (
    over: Partial<AuthorityRevocations>,
    more: { readonly explicitKeys?: Buffer[] } = {},
  ): Promise<void> => {
    version += 1n
    const authorities = [{ publicKeyBlob: signer.publicBlob, serials: [], keyIds: [], ...over }]
    return writeFile(
      krlPath,
      encodeKrl({ version, generatedAtSeconds: nowSeconds, comment: 'lockstep', authorities, ...more }),
    )
  }
  const login = (over: Partial<CertificateContent> = {}, signedBy = signer): Promise<LoginAttempt> =>
    client.login({ serial: 4711n, ...over }, { signedBy })
  const revoked = (): RegExp =>
    new RegExp(`ED25519-CERT ${escaped(fingerprintOf(client.subjectBlob))} revoked by file ${escaped(krlPath)}`)

  it('F56 an empty list refuses nobody', async () => {
    expect(await login()).toMatchObject({ status: 0, stdout: 'in\n' })
  })

  it('U9 F55 F56 by serial: refused at once, and no other serial and no other authority with it', async () => {
    await writeKrl({ serials: [4711n, { first: 5000n, last: 6000n }] })
    await expectRefused(await login(), revoked())
    await expectRefused(await login({ serial: 5500n }), revoked())
    expect((await login({ serial: 4712n })).status).toBe(0)
    expect((await login({}, otherSigner)).status).toBe(0)
    await writeKrl({})
    expect((await login()).status).toBe(0)
  })

  it('U9 F55 F56 among ten thousand others: refused', async () => {
    await writeKrl({ serials: Array.from({ length: 10_000 }, (_, index) => 4711n + BigInt(index) * 97n) })
    await expectRefused(await login({ serial: 4711n + 97n * 9999n }), revoked())
    expect((await login({ serial: 4712n })).status).toBe(0)
  })

  it('U9 F55 F56 by key id: refused, even without a serial', async () => {
    await writeKrl({ keyIds: ['lockstep/узел'] })
    await expectRefused(await login({ keyId: 'lockstep/узел', serial: 0n }), revoked())
    expect((await login({ keyId: 'lockstep/узел-2' })).status).toBe(0)
  })

  it('F55 by its key, whatever certificate it carries: refused', async () => {
    await writeKrl({}, { explicitKeys: [client.subjectBlob] })
    await expectRefused(await login(), revoked())
    await expectRefused(await login({}, otherSigner), revoked())
  })

  it('F56 a missing list locks everyone out, as does one that cannot be read; an empty one does not', async () => {
    await rm(krlPath)
    await expectRefused(await login(), /Error checking authentication key .* in revoked keys file .*No such file/)
    await writeFile(
      krlPath,
      encodeKrl({ version: 1n, generatedAtSeconds: 0, comment: 'cut', authorities: [] }).subarray(0, -1),
    )
    await expectRefused(await login(), /Error checking authentication key .* in revoked keys file/)
    await writeKrl({})
    expect((await login()).status).toBe(0)
  })
})

describe.skipIf(missing)('host certificates before the judge: ssh', () => {
  let directory: string
  let hostBlob: Buffer

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lockstep-host-'))
    keygen(['-q', '-t', 'ed25519', '-N', '', '-f', join(directory, 'host')])
    hostBlob = parsePublicKeyLine(await readFile(join(directory, 'host.pub'), 'utf8')).blob
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))

  /** A client that knows the authority of hosts and no host key meets a node with this certificate. */
  const meet = async (
    over: Partial<CertificateContent>,
    options: Partial<LoginOptions> = {},
  ): Promise<LoginAttempt> => {
    const content: CertificateContent = {
      type: 'host',
      subjectBlob: hostBlob,
      serial: 9n,
      keyId: 'node-1',
      principals: ['node-1.internal', '127.0.0.1'],
      validAfterSeconds: nowSeconds - 60,
      validBeforeSeconds: nowSeconds + 600,
      criticalOptions: {},
      extensions: {},
      ...over,
    }
    const certificate = formatCertificateLine(encodeCertificate(content, options.signedBy ?? otherSigner))
    await writeFile(join(directory, 'host-cert.pub'), `${certificate}\n`)
    const sshd = await startSshd({
      trustedUserCa: formatPublicKeyLine(signer.publicBlob),
      principals: ['sync-agent'],
      hostKeyTypes: ['ecdsa'],
      extraConfig: [`HostKey ${directory}/host`, `HostCertificate ${directory}/host-cert.pub`],
    })
    const client = await createSshClient(sshd)
    try {
      const knownHosts = `@cert-authority * ${formatPublicKeyLine(otherSigner.publicBlob)}`
      return await client.login({}, { knownHosts, ...options, signedBy: signer })
    } finally {
      await client.stop()
      await sshd.stop()
    }
  }

  it('F54 is enough to be trusted, under every name in it', async () => {
    expect(await meet({})).toMatchObject({ status: 0, stdout: 'in\n' })
    const alias = { arguments: ['-o', 'HostKeyAlias=node-1.internal'] }
    expect(await meet({}, alias)).toMatchObject({ status: 0, stdout: 'in\n' })
  })

  it.each<[string, Partial<CertificateContent>, RegExp]>([
    ['for another name', { principals: ['node-2.internal'] }, /Certificate invalid: name is not a listed principal/],
    ['expired', { validBeforeSeconds: nowSeconds - 1 }, /Certificate invalid: expired/],
    ['not yet valid', { validAfterSeconds: nowSeconds + 300 }, /Certificate invalid: not yet valid/],
    ['for a user', { type: 'user' }, /Certificate invalid: not a host certificate/],
  ])('F54 %s: refused', async (_label, over, reason) => {
    expect(await meet(over)).toMatchObject({ status: 255, stdout: '', stderr: expect.stringMatching(reason) })
  })

  it('F54 of another authority: refused', async () => {
    const attempt = await meet({}, { signedBy: signer })
    expect(attempt).toMatchObject({
      status: 255,
      stdout: '',
      stderr: expect.stringMatching(/Host key verification failed/),
    })
  })

  it('F54 F55 revoked by its serial: refused', async () => {
    const path = join(directory, 'revoked.krl')
    const authorities = [{ publicKeyBlob: otherSigner.publicBlob, serials: [9n], keyIds: [] }]
    await writeFile(path, encodeKrl({ version: 1n, generatedAtSeconds: nowSeconds, comment: '', authorities }))
    const options = { arguments: ['-o', `RevokedHostKeys=${path}`] }
    expect(await meet({}, options)).toMatchObject({ status: 255, stderr: expect.stringMatching(/revoked/i) })
    expect(await meet({ serial: 10n }, options)).toMatchObject({ status: 0 })
  })
})

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
}
