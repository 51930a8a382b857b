import { spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type CertificateContent,
  certificateSigner,
  decodeCertificate,
  encodeCertificate,
  formatCertificateLine,
  verifyCertificate,
} from '../../../src/platform/openssh/certificate.ts'
import {
  ed25519Blob,
  fingerprintOf,
  formatPublicKeyLine,
  parsePublicKeyLine,
} from '../../../src/platform/openssh/publicKey.ts'
import { sshdMissing, startSshd, type TestSshd } from '../../support/sshd.ts'

const keygenMissing = existsSync('/usr/bin/ssh-keygen') ? null : 'ssh-keygen is not installed (Debian: openssh-client)'
if (keygenMissing !== null) console.warn(`skipped: ${keygenMissing}`)
if (sshdMissing !== null) console.warn(`skipped: ${sshdMissing}`)

const authorityKey = generateKeyPairSync('ed25519').privateKey
const signer = certificateSigner(authorityKey)
const subjectBlob = ed25519Blob(generateKeyPairSync('ed25519').publicKey)

/** Runs with UTC, because ssh-keygen prints local time. */
function keygen(args: readonly string[], input?: string): string {
  const result = spawnSync('ssh-keygen', [...args], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, TZ: 'UTC' },
    ...(input === undefined ? {} : { input }),
  })
  if (result.status !== 0) throw new Error(`ssh-keygen ${args.join(' ')}: ${result.stderr}`)
  return result.stdout
}

interface Listed {
  type: string
  publicKey: string
  signer: string
  keyId: string
  serial: string
  valid: string
  principals: string[]
  criticalOptions: string[]
  extensions: string[]
}

/** Reads the output of `ssh-keygen -L` for many certificates. */
function parseListing(output: string): Listed[] {
  return output
    .split(/^\/\S+:$/m)
    .slice(1)
    .map((block) => {
      const line = (name: string): string => new RegExp(`^ {8}${name}: (.*)$`, 'm').exec(block)?.[1] ?? ''
      const list = (name: string): string[] => {
        const body = new RegExp(`^ {8}${name}: ?(.*)\n((?: {16}.*\n)*)`, 'm').exec(block)
        return (body?.[2] ?? '')
          .split('\n')
          .map((entry) => entry.slice(16))
          .filter((entry) => entry !== '')
      }
      return {
        type: line('Type'),
        publicKey: line('Public key'),
        signer: line('Signing CA'),
        keyId: line('Key ID'),
        serial: line('Serial'),
        valid: line('Valid'),
        principals: list('Principals'),
        criticalOptions: list('Critical Options'),
        extensions: list('Extensions'),
      }
    })
}

const isoSeconds = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 19)

function expectedListing(content: CertificateContent): Listed {
  const flags = Object.keys(content.extensions).sort()
  const options = Object.keys(content.criticalOptions).sort()
  return {
    type: `ssh-ed25519-cert-v01@openssh.com ${content.type} certificate`,
    publicKey: `ED25519-CERT ${fingerprintOf(content.subjectBlob)}`,
    signer: `ED25519 ${fingerprintOf(signer.publicBlob)} (using ssh-ed25519)`,
    keyId: `"${content.keyId}"`,
    serial: String(content.serial),
    valid: `from ${isoSeconds(content.validAfterSeconds)} to ${isoSeconds(content.validBeforeSeconds)}`,
    principals: [...content.principals],
    criticalOptions: options.map((name) => `${name} ${content.criticalOptions[name]}`),
    extensions: flags,
  }
}

describe.skipIf(keygenMissing !== null)('certificates before the judge: ssh-keygen', () => {
  let directory: string
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lockstep-certificates-'))
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))

  it('400 random certificates list exactly as they were asked for', async () => {
    const word = fc.string({
      minLength: 1,
      maxLength: 30,
      unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789._@-'.split('')),
    })
    const content = fc.record({
      type: fc.constantFrom('user' as const, 'host' as const),
      subjectBlob: fc.constant(subjectBlob),
      serial: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      keyId: word,
      principals: fc.array(word, { minLength: 1, maxLength: 12 }),
      validAfterSeconds: fc.integer({ min: 86_400, max: 2_000_000_000 }),
      validBeforeSeconds: fc.integer({ min: 2_000_000_001, max: 2_145_000_000 }),
      criticalOptions: fc.record(
        { 'force-command': word, 'source-address': fc.constantFrom('10.0.0.0/8', '::1,127.0.0.1') },
        { requiredKeys: [] },
      ),
      extensions: fc
        .subarray([
          'permit-pty',
          'permit-user-rc',
          'permit-X11-forwarding',
          'permit-agent-forwarding',
          'permit-port-forwarding',
        ])
        .map((names) => Object.fromEntries(names.map((name) => [name, '']))),
    })
    const contents = fc
      .sample(content, { numRuns: 400, seed: 20260107 })
      .map((one) => (one.type === 'host' ? { ...one, criticalOptions: {}, extensions: {} } : one))
    const path = join(directory, 'many-cert.pub')
    await writeFile(path, contents.map((one) => `${formatCertificateLine(encodeCertificate(one, signer))}\n`).join(''))
    expect(parseListing(keygen(['-L', '-f', path]))).toEqual(contents.map(expectedListing))
  })

  it('reads and verifies what ssh-keygen signed with an Ed25519 and with ECDSA authorities', async () => {
    await writeFile(join(directory, 'subject.pub'), `${formatPublicKeyLine(subjectBlob)}\n`)
    for (const [type, bits] of [
      ['ed25519', '256'],
      ['ecdsa', '256'],
      ['ecdsa', '384'],
      ['ecdsa', '521'],
    ] as const) {
      const ca = join(directory, `ca_${type}_${bits}`)
      keygen(['-q', '-t', type, '-b', bits, '-N', '', '-f', ca])
      for (let round = 0; round < 8; round += 1) {
        keygen([
          '-q',
          '-s',
          ca,
          '-I',
          'their id',
          '-n',
          'one,two',
          '-z',
          '18446744073709551615',
          '-V',
          '20260101000000Z:20260201000000Z',
          '-O',
          'clear',
          '-O',
          'permit-pty',
          '-O',
          'force-command=/bin/true',
          join(directory, 'subject.pub'),
        ])
        const decoded = decodeCertificate(
          parsePublicKeyLine(await readFile(join(directory, 'subject-cert.pub'), 'utf8')).blob,
        )
        expect(decoded).toMatchObject({
          type: 'user',
          keyId: 'their id',
          principals: ['one', 'two'],
          serial: 2n ** 64n - 1n,
          criticalOptions: { 'force-command': '/bin/true' },
          extensions: { 'permit-pty': '' },
        })
        expect(decoded.validBeforeSeconds).toBe(Date.UTC(2026, 1, 1) / 1000)
        expect(verifyCertificate(decoded)).toBe(true)
        expect(
          verifyCertificate({
            ...decoded,
            signedBytes: Buffer.concat([decoded.signedBytes.subarray(0, -1), Buffer.from([1])]),
          }),
        ).toBe(false)
      }
    }
  })

  it('prints the fingerprint that ssh-keygen prints', async () => {
    const path = join(directory, 'print.pub')
    await writeFile(path, `${formatPublicKeyLine(signer.publicBlob, 'x')}\n`)
    expect(keygen(['-l', '-f', path])).toContain(fingerprintOf(signer.publicBlob))
  })
})

describe.skipIf(sshdMissing !== null || keygenMissing !== null)('certificates before the judge: sshd', () => {
  let directory: string
  let sshd: TestSshd
  const now = Math.floor(Date.now() / 1000)

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lockstep-login-'))
    sshd = await startSshd({ trustedUserCa: formatPublicKeyLine(signer.publicBlob), principals: ['sync-agent'] })
    keygen(['-q', '-t', 'ed25519', '-N', '', '-f', join(directory, 'key')])
    await writeFile(join(directory, 'known_hosts'), `[${sshd.address}]:${sshd.port} ${sshd.hostKeys[0]}\n`)
  })
  afterAll(async () => {
    await sshd.stop()
    await rm(directory, { recursive: true, force: true })
  })

  const login = async (
    over: Partial<CertificateContent>,
    by = signer,
  ): Promise<{ status: number | null; stdout: string; log: string }> => {
    const subject = parsePublicKeyLine(await readFile(join(directory, 'key.pub'), 'utf8')).blob
    const content: CertificateContent = {
      type: 'user',
      subjectBlob: subject,
      serial: 1n,
      keyId: 'k',
      principals: ['sync-agent'],
      validAfterSeconds: now - 60,
      validBeforeSeconds: now + 600,
      criticalOptions: {},
      extensions: {},
      ...over,
    }
    await writeFile(join(directory, 'key-cert.pub'), `${formatCertificateLine(encodeCertificate(content, by))}\n`)
    const before = (await sshd.log()).length
    const options = [
      'IdentitiesOnly=yes',
      'IdentityAgent=none',
      'BatchMode=yes',
      `UserKnownHostsFile=${directory}/known_hosts`,
      'StrictHostKeyChecking=yes',
      'LogLevel=ERROR',
    ]
    const result = spawnSync(
      'ssh',
      [
        '-F',
        'none',
        ...options.flatMap((option) => ['-o', option]),
        '-i',
        join(directory, 'key'),
        '-p',
        String(sshd.port),
        `${sshd.user}@${sshd.address}`,
        'echo in',
      ],
      { encoding: 'utf8' },
    )
    return { status: result.status, stdout: result.stdout, log: (await sshd.log()).slice(before) }
  }

  it('accepts a good one and obeys its forced command', async () => {
    expect(await login({})).toMatchObject({ status: 0, stdout: 'in\n' })
    expect(await login({ criticalOptions: { 'force-command': 'echo forced' } })).toMatchObject({
      status: 0,
      stdout: 'forced\n',
    })
    expect(await login({ criticalOptions: { 'source-address': '127.0.0.0/8' } })).toMatchObject({ status: 0 })
  })

  it.each<[string, Partial<CertificateContent>, RegExp]>([
    ['S0.33 expired', { validBeforeSeconds: now - 1 }, /expired/],
    ['U10 not yet valid', { validAfterSeconds: now + 300 }, /not yet valid/],
    [
      'S0.20 of another principal',
      { principals: ['root'] },
      /does not contain an authorized principal|not a listed principal/i,
    ],
    ['for a host', { type: 'host' }, /Failed publickey|Connection closed/i],
    ['for another source address', { criticalOptions: { 'source-address': '192.0.2.1' } }, /source address|not from/i],
    [
      'with an unknown critical option',
      { criticalOptions: { 'fly-to-the-moon': 'yes' } },
      /not supported|critical option/i,
    ],
  ])('refuses one that is %s', async (_label, over, reason) => {
    const attempt = await login(over)
    expect(attempt.status).toBe(255)
    expect(attempt.log).toMatch(reason)
  })

  it('refuses one that another authority signed', async () => {
    const other = certificateSigner(generateKeyPairSync('ed25519').privateKey)
    expect((await login({}, other)).status).toBe(255)
  })
})
