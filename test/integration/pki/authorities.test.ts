import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { copyFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SigningRequest } from '../../../src/engine/ports.ts'
import { Config } from '../../../src/platform/config.ts'
import { createPassphraseVault } from '../../../src/platform/keyVault.ts'
import { ed25519Blob } from '../../../src/platform/openssh/publicKey.ts'
import { type AuthorityKind, authorityKinds } from '../../../src/shared/model/certificate.ts'
import { aNode } from '../../fakes/aNode.ts'
import { memoryVault } from '../../support/trust.ts'
import { keygen, keygenMissing } from './keygen.ts'
import { createPkiRig, failureOf, type PkiRig } from './pkiRig.ts'

const keyFiles: Readonly<Record<AuthorityKind, string>> = {
  'ssh-user': 'user-ca.json',
  'ssh-host': 'host-ca.json',
  x509: 'x509-ca.json',
}
const publicFiles: Readonly<Record<AuthorityKind, string>> = {
  'ssh-user': 'trusted_user_ca.pub',
  'ssh-host': 'trusted_host_ca.pub',
  x509: 'root_ca.crt',
}

const request = (over: Partial<SigningRequest> = {}): SigningRequest => ({
  subjectPublicKey: ed25519Blob(generateKeyPairSync('ed25519').publicKey),
  keyId: 'test',
  principals: ['sync-agent'],
  purpose: 'external',
  lifetimeSeconds: 600,
  requestedBy: 'operator',
  reason: 'test',
  ...over,
})

describe('three authorities', () => {
  let rig: PkiRig
  beforeEach(async () => {
    rig = await createPkiRig()
  })
  afterEach(() => rig.dispose())

  const path = (name: string): string => join(rig.keysDirectory, name)

  it('S0.4 S0.16 are made on request, each sealed in a file of its own, audited with who asked, and made once', async () => {
    const made = await rig.pki.authorities.create(authorityKinds, 'ann@desk')
    expect(made.map(({ kind }) => kind)).toEqual(authorityKinds)
    expect(new Set(made.map(({ fingerprint }) => fingerprint)).size).toBe(3)
    for (const kind of authorityKinds) {
      expect((await stat(path(keyFiles[kind]))).mode & 0o777).toBe(0o600)
      expect((await stat(path(publicFiles[kind]))).mode & 0o777).toBe(0o644)
    }
    const audit = (await rig.store.listAudit({ limit: 10 })).filter(({ action }) => action === 'authority.create')
    expect(audit.map(({ actor, subject }) => [actor, subject]).sort()).toEqual(
      made.map(({ fingerprint }) => ['ann@desk', fingerprint]).sort(),
    )
    expect(await rig.pki.authorities.create(authorityKinds, 'bob@desk')).toEqual(made)
    expect(await (await rig.reopen()).authorities.list()).toEqual(made)
  })

  it('looking makes none', async () => {
    expect(await rig.pki.authorities.list()).toEqual([])
    expect(await rig.pki.authorities.trustedHostKeys()).toEqual([])
    expect(await rig.pki.authorities.trustedUserKeys()).toEqual([])
    expect(await failureOf(rig.pki.authorities.export('ssh-host'))).toMatchObject({ code: 'NOT_FOUND' })
    expect(await readdir(rig.keysDirectory)).toEqual([])
  })

  it('S0.11 S0.13 S0.17 S0.18 exports what nodes, clients and agents install, and reads in ssh-keygen', async () => {
    const [user, host, x509] = await rig.pki.authorities.create(authorityKinds, 'ann@desk')
    const [trusted] = await rig.pki.authorities.export('ssh-user')
    expect(trusted).toMatchObject({
      fileName: 'trusted_user_ca.pub',
      content: `${user?.publicKey}\n`,
      fingerprints: [user?.fingerprint],
      use: expect.stringContaining('TrustedUserCAKeys /etc/ssh/ca/trusted_user_ca.pub'),
    })
    const [known] = await rig.pki.authorities.export('ssh-host')
    expect(known).toMatchObject({ fileName: 'known_hosts', content: `@cert-authority * ${host?.publicKey}\n` })
    const [root] = await rig.pki.authorities.export('x509')
    const certificate = new X509Certificate(root?.content ?? '')
    expect(createHash('sha256').update(certificate.raw).digest('hex')).toBe(x509?.fingerprint)
    expect(root).toMatchObject({ fileName: 'root_ca.crt', fingerprints: [x509?.fingerprint] })
    if (keygenMissing === null)
      for (const kind of ['ssh-user', 'ssh-host'] as const)
        expect(keygen(['-lf', path(publicFiles[kind])])).toContain(
          (kind === 'ssh-user' ? user : host)?.fingerprint as string,
        )
  })

  it('F54 none signs for another', async () => {
    await rig.pki.authorities.create(authorityKinds, 'ann@desk')
    const content = {
      subjectBlob: request().subjectPublicKey,
      serial: 1n,
      keyId: 'x',
      principals: ['sync-agent'],
      validAfterSeconds: 0,
      validBeforeSeconds: 4_000_000_000,
      criticalOptions: {},
      extensions: {},
    }
    const host = await rig.pki.authorities.sshSigner('ssh-host')
    expect(() => host.sign({ ...content, type: 'user' })).toThrow('signs no user certificates')
    const user = await rig.pki.authorities.sshSigner('ssh-user')
    expect(() => user.sign({ ...content, type: 'host' })).toThrow('signs no host certificates')
    const wrongOne = failureOf(rig.pki.authorities.sshSigner('ssh-user', host.fingerprint))
    expect(await wrongOne).toMatchObject({ code: 'NOT_FOUND' })
    const [issued] = await rig.pki.authority.sign([
      request({ purpose: 'host', principals: ['node-01.internal', '10.0.0.7'], lifetimeSeconds: 30 * 86_400 }),
    ])
    expect(issued).toMatchObject({ purpose: 'host', authorityFingerprint: host.fingerprint, extensions: [] })
  })

  it('F54 host certificates wait for a host authority that a person made', async () => {
    const refused = failureOf(rig.pki.authority.sign([request({ purpose: 'host', principals: ['node-01'] })]))
    expect(await refused).toMatchObject({ code: 'PRECONDITION_FAILED', message: expect.stringContaining('ca init') })
  })

  it.each(authorityKinds)(
    'a damaged, cut off, exchanged or lost key file of %s is named and never replaced',
    async (kind) => {
      await rig.pki.authorities.create(authorityKinds, 'ann@desk')
      const file = path(keyFiles[kind])
      const good = await readFile(file, 'utf8')
      const parsed = JSON.parse(good) as { sealedKey: string }
      const sealed = Buffer.from(parsed.sealedKey, 'base64')
      sealed[50] = (sealed[50] ?? 0) ^ 1
      const otherKind = authorityKinds[(authorityKinds.indexOf(kind) + 1) % 3] as AuthorityKind
      const other = JSON.parse(await readFile(path(keyFiles[otherKind]), 'utf8')) as object
      const stranger = await createPkiRig()
      await stranger.pki.authorities.create([kind], 'mallory')
      const foreign = await readFile(join(stranger.keysDirectory, keyFiles[kind]), 'utf8')
      await stranger.dispose()
      const worlds: [string, string | null][] = [
        ['cut off', good.slice(0, 200)],
        ['empty', ''],
        ['a changed seal', JSON.stringify({ ...parsed, sealedKey: sealed.toString('base64') })],
        ['the file of another kind', JSON.stringify(other)],
        ['the key of another kind under this name', JSON.stringify({ ...other, kind })],
        ['a valid file of somebody else', foreign],
        ['gone', null],
      ]
      for (const [world, content] of worlds) {
        if (content === null) await rm(file)
        else await writeFile(file, content)
        const pki = await rig.reopen()
        const use = kind === 'x509' ? pki.x509.roots() : pki.authorities.sshSigner(kind)
        const failure = await failureOf(use)
        expect([world, failure.code]).toEqual([world, 'VAULT_TAMPERED'])
        expect(failure.message).toContain('backup')
        expect(await readFile(file, 'utf8').catch(() => null)).toBe(content)
      }
      await rm(path(publicFiles[kind]))
      const silent = await rig.reopen()
      expect((await failureOf(silent.authorities.list())).code).toBe('VAULT_TAMPERED')
      const [anew] = await silent.authorities.create([kind], 'ann@desk')
      const [row] = await rig.store.listAudit({ limit: 1 })
      expect(row).toMatchObject({ action: 'authority.create', actor: 'ann@desk', subject: anew?.fingerprint })
      expect(row?.detail).toMatchObject({ replaces: expect.any(String) })
    },
  )

  it('a wrong passphrase opens nothing, is said so, and the right one still does', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'lockstep-vault-'))
    const vaultWith = (passphrase: string) =>
      createPassphraseVault({
        file: join(directory, 'vault.json'),
        passphrase: async () => passphrase,
        scryptCost: { cost: 1024, blockSize: 8, parallelization: 1 },
      })
    const right = await createPkiRig({ vault: vaultWith('the right passphrase') })
    try {
      const [made] = await right.pki.authorities.create(['ssh-host'], 'ann@desk')
      const wrong = await right.reopen({ vault: vaultWith('wrong-canary') })
      const failure = await failureOf(wrong.authorities.sshSigner('ssh-host'))
      expect(failure.code).toBe('VAULT_PASSPHRASE_WRONG')
      expect(failure.message).not.toContain('wrong-canary')
      expect((await wrong.authorities.list())[0]).toEqual(made)
      expect((await (await right.reopen()).authorities.sshSigner('ssh-host')).fingerprint).toBe(made?.fingerprint)
    } finally {
      await right.dispose()
      await rm(directory, { recursive: true })
    }
  })

  it('reads a key file from before there were several authorities', async () => {
    const vault = memoryVault()
    const [before, after] = [await createPkiRig({ vault }), await createPkiRig({ vault })]
    try {
      const [made] = await before.pki.authorities.create(['ssh-user'], 'ann@desk')
      const file = join(before.keysDirectory, 'user-ca.json')
      expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ version: 1, kind: 'ssh-user' })
      await copyFile(file, join(after.keysDirectory, 'user-ca.json'))
      expect(await after.pki.authorities.list()).toEqual([made])
      expect((await after.pki.authority.describe()).fingerprint).toBe(made?.fingerprint)
    } finally {
      await before.dispose()
      await after.dispose()
    }
  })
})

describe('what may be signed', () => {
  const rigs: PkiRig[] = []
  const withPrincipals = async (principals: readonly string[]): Promise<PkiRig> => {
    const rig = await createPkiRig({ principals })
    rigs.push(rig)
    return rig
  }
  afterEach(async () => {
    for (const rig of rigs.splice(0)) await rig.dispose()
  })

  it.each(['automation', 'terminal', 'external', 'agent', 'probe'] as const)(
    'S0.19 S0.20 D2 %s: the principal sync-agent and no other',
    async (purpose) => {
      const rig = await withPrincipals(Config.parse({}).certificate.principals)
      const [issued] = await rig.pki.authority.sign([request({ purpose })])
      expect(issued?.extensions).toEqual(purpose === 'terminal' ? ['permit-pty'] : [])
      for (const principals of [['root'], ['sync-agent', 'root'], ['sync-agentx'], ['xsync-agent'], []]) {
        const failure = await failureOf(rig.pki.authority.sign([request({ purpose, principals })]))
        expect(failure).toMatchObject({ code: 'CERTIFICATE_POLICY_REFUSED' })
      }
    },
  )

  it('S0.20 more principals are a setting, taken literally', async () => {
    const rig = await withPrincipals(['sync-agent', 'deploy.v2', 'a-b'])
    for (const principal of ['deploy.v2', 'a-b', 'sync-agent'])
      expect(await rig.pki.authority.sign([request({ principals: [principal] })])).toHaveLength(1)
    for (const principal of ['deployXv2', 'a', 'b', 'sync-agent|a-b', 'deploy.v22'])
      expect((await failureOf(rig.pki.authority.sign([request({ principals: [principal] })]))).code).toBe(
        'CERTIFICATE_POLICY_REFUSED',
      )
    expect(() => Config.parse({ certificate: { principals: ['.*'] } })).toThrow()
    expect(() => Config.parse({ certificate: { principals: [] } })).toThrow()
  })

  it('serials that are used up end the signing, before the canary and with nothing signed', async () => {
    const rig = await withPrincipals(['sync-agent'])
    await rig.pki.authority.sign([request()])
    await exhaustSerials(rig, 2n ** 63n - 3n)
    expect(await rig.pki.authority.sign([request(), request()])).toHaveLength(2)
    const before = (await rig.store.listAudit({ limit: 1 }))[0]?.seq
    expect(await failureOf(rig.pki.authority.sign([request()]))).toMatchObject({
      code: 'SERIAL_EXHAUSTED',
      message: expect.stringContaining('Rotate'),
    })
    expect((await rig.store.listAudit({ limit: 1 }))[0]?.seq).toBe(before)
  })

  it('a serial that was handed out before, as after an old backup was put back, lets no certificate out', async () => {
    const rig = await withPrincipals(['sync-agent'])
    const [first] = await rig.pki.authority.sign([request()])
    await exhaustSerials(rig, BigInt(first?.serial ?? '1') - 1n)
    expect(await failureOf(rig.pki.authority.sign([request()]))).toMatchObject({ code: 'CONFLICT' })
    const rows = await rig.store.listCertificates({ nowMs: 0, limit: 10 })
    expect(rows.map(({ id }) => id)).toEqual([first?.id])
    expect(await rig.pki.authority.sign([request()])).toHaveLength(1)
  })

  it('a node with its own principal is served after it was allowed', async () => {
    const rig = await withPrincipals(['sync-agent', 'backup'])
    const probe = await rig.pki.probes.revoked(aNode({ principal: 'backup' }))
    expect(probe.certificate.principals).toEqual(['backup'])
  })
})

/** Puts the counter where many years of signing, or an old backup, would have it. */
async function exhaustSerials(rig: PkiRig, last: bigint): Promise<void> {
  const { default: Database } = await import('better-sqlite3')
  const database = new Database(join(rig.keysDirectory, '..', 'db.sqlite'))
  database.prepare(`UPDATE counters SET value = ? WHERE name = 'serial'`).run(last)
  database.close()
}
