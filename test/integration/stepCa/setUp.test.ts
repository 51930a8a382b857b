import { X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseStepCaConfig, type StepCaConfig } from '../../../src/platform/stepCa/caConfig.ts'
import type { StepCaClient } from '../../../src/platform/stepCa/client.ts'
import { trustedKeysFile } from '../../../src/platform/stepCa/sshAuthorityKeys.ts'
import { failedStart, startStepCa, stepCaMissing, stepCaStartTimeoutMs, type TestStepCa } from '../../support/stepCa.ts'
import { connect, failureOf, removeDirectory, temporaryDirectory } from './harness.ts'

if (stepCaMissing !== null) console.warn(`skipped: ${stepCaMissing}`)

describe.skipIf(stepCaMissing !== null)('a step-ca, set up by the guide', () => {
  let directory: string
  let ca: TestStepCa
  let config: StepCaConfig
  let client: StepCaClient

  beforeAll(async () => {
    directory = await temporaryDirectory()
    ca = await startStepCa({ directory })
    config = parseStepCaConfig(await readFile(ca.configFile, 'utf8'), ca.configFile)
    client = await connect(ca)
  }, stepCaStartTimeoutMs)
  afterAll(async () => {
    await ca?.stop()
    await removeDirectory(directory)
  })

  it('S0.1 S0.7 S0.36 runs on its own and is reached by its address alone', async () => {
    await client.health()
    expect(client.url).toBe(ca.url)
    expect(config.address).toBe(`127.0.0.1:${ca.port}`)
  })

  it('S0.4 S0.5 S0.6 S0.8 has the name, the names and the provisioner it was given', async () => {
    expect(new X509Certificate(client.rootPem).subject).toContain('Sync SSH CA')
    expect(config.dnsNames).toEqual(['ca.internal', '127.0.0.1'])
    expect((await client.provisioners()).map(({ name }) => name)).toContain('sync-provisioner')
  })

  it('S0.9 S0.14 D3 has SSH on for users and hosts, with paths of key files', () => {
    expect(config.ssh).toEqual({
      hostKey: { kind: 'file', path: join(directory, 'secrets', 'ssh_host_ca_key') },
      userKey: { kind: 'file', path: join(directory, 'secrets', 'ssh_user_ca_key') },
    })
    expect(config.warnings).toEqual([])
  })

  it('S0.10 S0.11 S0.12 has its files where the guide says', async () => {
    for (const file of [
      'config/ca.json',
      'certs/root_ca.crt',
      'certs/intermediate_ca.crt',
      'secrets/intermediate_ca_key',
    ])
      expect((await stat(join(directory, file))).isFile(), file).toBe(true)
    const key = await readFile(join(directory, 'secrets', 'intermediate_ca_key'), 'utf8')
    expect(key).toContain('ENCRYPTED')
  })

  it('S0.13 S0.29 hands out the root that its fingerprint pins, and lists it', async () => {
    const root = new X509Certificate(await readFile(ca.rootFile))
    expect(new X509Certificate(client.rootPem).fingerprint256).toBe(root.fingerprint256)
    expect(await client.roots()).toEqual([root.toString()])
  })

  it('S0.15 S0.16 S0.17 S0.18 tells its Ed25519 keys; the file for storage is what step writes', async () => {
    const keys = await client.sshAuthorityKeys()
    expect(trustedKeysFile(keys.user)).toBe(`${ca.sshUserCaKey}\n`)
    expect(trustedKeysFile(keys.host)).toBe(`${ca.sshHostCaKey}\n`)
    for (const { publicKey } of [...keys.user, ...keys.host]) expect(publicKey).toMatch(/^ssh-ed25519 /)
  })

  it('U6 says what each provisioner may be asked for: renewing host certificates needs SSHPOP', async () => {
    expect(await client.provisioners()).toMatchObject([
      {
        name: 'sync-provisioner',
        type: 'JWK',
        allows: ['issue user certificates', 'issue host certificates', 'revoke SSH certificates'],
      },
      { name: 'sshpop', type: 'SSHPOP', allows: ['renew host certificates', 'revoke SSH certificates'] },
    ])
  })

  it('U6 lists more provisioners than one page holds', async () => {
    const own = await temporaryDirectory()
    const many = await startStepCa({
      directory: own,
      editConfig: ({ authority }) => {
        const [first] = authority.provisioners
        if (first === undefined) throw new Error('no provisioner')
        for (let index = 0; index < 130; index += 1) authority.provisioners.push({ ...first, name: `more-${index}` })
      },
    })
    try {
      const names = (await (await connect(many)).provisioners()).map(({ name }) => name)
      expect(new Set(names).size).toBe(132)
      expect(names).toHaveLength(132)
    } finally {
      await many.stop()
      await removeDirectory(own)
    }
  })

  it('S0.14 D3 does not start with objects in place of key paths: the reader of ca.json says so beforehand', async () => {
    const own = await temporaryDirectory()
    const published = { hostKey: { type: 'ed25519' }, userKey: { type: 'ed25519' } }
    try {
      const said = await failedStart({
        directory: own,
        editConfig: (edited) => Object.assign(edited, { ssh: published }),
      })
      expect(said).toMatch(/cannot unmarshal object.*hostKey/)
      const file = join(own, 'config', 'ca.json')
      const read = parseStepCaConfig(await readFile(file, 'utf8'), file)
      expect(read.ssh?.userKey).toEqual({ kind: 'type', keyType: 'ed25519' })
      expect(read.warnings).toContainEqual(expect.stringContaining('step-ca does not start'))
    } finally {
      await removeDirectory(own)
    }
  })

  it('S0.9 a step-ca without SSH is told apart from one that cannot be reached', async () => {
    const own = await temporaryDirectory()
    const plain = await startStepCa({
      directory: own,
      editConfig: (edited) => {
        delete edited.ssh
      },
    })
    try {
      const asked = await connect(plain)
      await asked.health()
      expect(await failureOf(asked.sshAuthorityKeys())).toMatchObject({
        code: 'AUTHORITY_REFUSED',
        message: expect.stringContaining('set ssh.hostKey and ssh.userKey'),
        data: { reason: 'not-enabled', status: 404 },
      })
    } finally {
      await plain.stop()
      await removeDirectory(own)
    }
  })
})
