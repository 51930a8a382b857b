import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createOpenSshAccess, type ManagedOpenSshAccess } from '../../../../src/engine/ssh/openSshAccess.ts'
import { createSshPool } from '../../../../src/engine/ssh/pool.ts'
import { systemClock } from '../../../../src/platform/clock.ts'
import type { FleetNode } from '../../../../src/shared/model/node.ts'
import { sshdMissing, startSshd, type TestSshd } from '../../../support/sshd.ts'
import { createTrust, nodeFor, type TestTrust } from '../../../support/trust.ts'
import { startGitHttps } from './gitHttpsServer.ts'
import {
  commandLines,
  commitFiles,
  createMirrorRig,
  failureOf,
  git,
  listing,
  type MirrorRig,
  newRepository,
  type SomeSettings,
} from './mirrorRig.ts'

const canary = 'glpat-node-canary-91c0'

describe.skipIf(sshdMissing !== null)('a checkout on a node', () => {
  let rig: MirrorRig
  let trust: TestTrust
  let sshd: TestSshd
  let node: FleetNode
  let pool: ReturnType<typeof createSshPool>
  let openSsh: ManagedOpenSshAccess
  let nodeHome: string

  beforeEach(async () => {
    trust = await createTrust()
    const scratch = await createMirrorRig()
    nodeHome = join(scratch.directory, 'node home')
    await mkdir(nodeHome)
    sshd = await startSshd({
      trustedUserCa: trust.publicKey,
      principals: ['sync-agent'],
      extraConfig: [`SetEnv SHLVL=5 "HOME=${nodeHome}" GIT_DIR=/nowhere`],
    })
    node = nodeFor(sshd, { name: 'VM04' })
    pool = createSshPool({ identities: trust.identities, clock: systemClock })
    openSsh = await createOpenSshAccess({ directory: join(scratch.directory, 'ssh'), identities: trust.identities })
    const again: MirrorRig['again'] = (more) =>
      scratch.again({
        openSsh,
        sshPool: pool,
        findNode: async (name) => (name === node.name ? node : null),
        tokenOf: async () => canary,
        ...more,
      })
    rig = { ...scratch, again, mirrors: again() }
  })
  afterEach(async () => {
    await pool.close()
    await openSsh.close()
    await sshd.stop()
    await trust.stop()
    await rig.dispose()
  })

  const onNode = (heads = {}, settings: SomeSettings = {}) =>
    rig.repository({ checkout: { kind: 'node', node: 'VM04', directory: '~/proj ect' }, ...settings }, heads)
  const checkout = (): string => join(nodeHome, 'proj ect')

  it('S2.1 S2.2 S2.3 is cloned and pulled there, and what it has is fetched over ssh', async () => {
    const first = await rig.mirrors.fetch(onNode(), { force: false })
    expect(first.heads.main).toBe(git(rig.origin, ['rev-parse', 'main']))
    expect(await readdir(nodeHome)).toEqual(['proj ect'])
    const next = commitFiles(rig.origin, { "it's.txt": 'two\n' })
    await writeFile(join(checkout(), 'not committed'), 'x')
    const second = await rig.mirrors.fetch(onNode(first.heads), { force: false })
    expect(second.heads).toEqual({ main: next })
    expect(second.warnings.join()).toContain('1 file in VM04:')
    expect(readFileSync(join(checkout(), '.git', 'info', 'exclude'), 'utf8')).toContain('/.sync_rev\n')
    const snapshot = await rig.mirrors.snapshot(onNode(), next, { dotGit: false })
    expect(listing(snapshot.directory)).toEqual(['a.txt', "it's.txt"])
    snapshot.release()
  })

  it('D18 force resets it there', async () => {
    const first = await rig.mirrors.fetch(onNode(), { force: false })
    git(rig.origin, ['commit', '--quiet', '--amend', '-m', 'rewritten'])
    expect((await failureOf(rig.mirrors.fetch(onNode(first.heads), { force: false }))).code).toBe('REPOSITORY_DIVERGED')
    await rig.mirrors.fetch(onNode(first.heads), { force: true })
    expect(git(checkout(), ['rev-parse', 'HEAD'])).toBe(git(rig.origin, ['rev-parse', 'main']))
  })

  it('S2.10 a directory that is not a checkout is refused there too', async () => {
    await mkdir(checkout())
    await writeFile(join(checkout(), 'precious'), 'x')
    const failure = await failureOf(rig.mirrors.fetch(onNode(), { force: true }))
    expect(failure.code).toBe('SOURCE_MISSING')
    expect(failure.message).toContain('VM04')
    expect(listing(checkout())).toEqual(['precious'])
  })

  it('S2.10 a commit that only the remote has is pinned through it', async () => {
    await rig.mirrors.fetch(onNode(), { force: false })
    const pinned = git(rig.origin, ['commit-tree', 'main^{tree}', '-m', 'pinned'])
    const snapshot = await rig.mirrors.snapshot(onNode(), pinned, { dotGit: false })
    expect(listing(snapshot.directory)).toEqual(['a.txt'])
    snapshot.release()
  })

  it('S2.11 a token gets to the git of the node and to no command line, file or answer', async () => {
    const seen: string[] = []
    const tls = join(rig.directory, 'tls')
    await mkdir(tls)
    const server = await startGitHttps({
      root: rig.directory,
      directory: tls,
      login: `git:${canary}`,
      onRequest: () => {
        seen.push(...commandLines())
        return undefined
      },
    })
    const output: string[] = []
    try {
      // The node is this machine, with the operator's own variables left out.
      await writeFile(join(nodeHome, 'ca.pem'), readFileSync(server.authority))
      const trusted = rig.again({ sshPool: withVariable(pool, `GIT_SSL_CAINFO='${nodeHome}/ca.pem'`) })
      const repository = onNode({}, { remote: `${server.url}/origin/.git`, login: { kind: 'token' } })
      const options = { force: false, onOutput: (line: string) => void output.push(line) }
      expect(Object.keys((await trusted.fetch(repository, options)).heads)).toEqual(['main'])
      expect(seen.some((line) => line.includes('remote-https'))).toBe(true)
      expect([...seen, ...output].join('\n')).not.toContain(canary)
      const found = spawnSync('grep', ['-rlF', '-e', canary, nodeHome], { encoding: 'utf8' })
      expect([found.status, found.stdout]).toEqual([1, ''])
    } finally {
      await server.close()
    }
    expect(existsSync(join(checkout(), '.git'))).toBe(true)
  })

  it('S2.11 what stands in front of the host of its origin shows in no command line, and a password is refused', async () => {
    const seen: string[] = []
    const tls = join(rig.directory, 'tls')
    await mkdir(tls)
    const onRequest = () => void seen.push(...commandLines())
    const server = await startGitHttps({ root: rig.directory, directory: tls, login: null, onRequest })
    try {
      await writeFile(join(nodeHome, 'ca.pem'), readFileSync(server.authority))
      const trusted = rig.again({ sshPool: withVariable(pool, `GIT_SSL_CAINFO='${nodeHome}/ca.pem'`) })
      newRepository(checkout())
      git(checkout(), ['remote', 'add', 'origin', `https://${canary}@${server.host}/origin/.git`])
      const repository = onNode({}, { remote: null })
      expect(Object.keys((await trusted.fetch(repository, { force: true })).heads)).toEqual(['main'])
      expect(seen.some((line) => line.includes('remote-https'))).toBe(true)
      expect(seen.join('\n')).not.toContain(canary)
      git(checkout(), ['remote', 'set-url', 'origin', `ssh://git:${canary}@127.0.0.1:1/x`])
      const failure = await failureOf(trusted.fetch(repository, { force: false }))
      expect([failure.code, failure.message]).toEqual(['REPOSITORY_REFUSED', expect.stringContaining('password')])
      expect(JSON.stringify(failure.toBody())).not.toContain(canary)
    } finally {
      await server.close()
    }
  })

  it('S2.11 an origin whose host is a command for a shell is refused and runs nowhere', async () => {
    newRepository(checkout())
    git(checkout(), ['remote', 'add', 'origin', 'ssh://git@x$(>pwned)/x'])
    const hostKeys = sshd.hostKeys.map((line) => line.split(' ').slice(0, 2).join(' '))
    const failure = await failureOf(rig.mirrors.fetch(onNode({}, { remote: null, hostKeys }), { force: false }))
    expect(listing(checkout())).not.toContain('pwned')
    expect([failure.code, failure.message]).toEqual(['REPOSITORY_REFUSED', expect.stringContaining('host')])
  })

  it('S2.11 paths of the node are not read on the machine of the engine', async () => {
    const library = join(rig.directory, 'library')
    newRepository(library)
    newRepository(checkout())
    git(checkout(), ['submodule', '--quiet', 'add', library, 'lib'])
    const commit = commitFiles(checkout(), {})
    for (const origin of [null, rig.origin]) {
      if (origin !== null) git(checkout(), ['remote', 'add', 'origin', origin])
      const repository = onNode({}, { remote: null, submodules: true })
      const failure = await failureOf(rig.mirrors.snapshot(repository, commit, { dotGit: false }))
      expect([origin, failure.code, failure.message]).toEqual([
        origin,
        'REPOSITORY_UNSAFE',
        expect.stringContaining('lib'),
      ])
    }
  })

  it('S2.11 certificates of the engine do not go to a node', async () => {
    const settings: SomeSettings = {
      remote: `ssh://${sshd.user}@${sshd.address}:${sshd.port}${rig.origin}`,
      login: { kind: 'certificate' },
    }
    expect((await failureOf(rig.mirrors.fetch(onNode({}, settings), { force: false }))).code).toBe('UNSUPPORTED')
  })

  it('S2.11 a key file of the node and the host keys entered get it to a server over ssh', async () => {
    const keyFile = join(rig.directory, 'deploy key')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', keyFile])
    const server = await startSshd({ authorizedKeys: [readFileSync(`${keyFile}.pub`, 'utf8').trim()] })
    try {
      const hostKeys = server.hostKeys.map((line) => line.split(' ').slice(0, 2).join(' '))
      const remote = `ssh://${server.user}@${server.address}:${server.port}${rig.origin}`
      const settings: SomeSettings = { remote, hostKeys, login: { kind: 'key', file: keyFile } }
      expect(Object.keys((await rig.mirrors.fetch(onNode({}, settings), { force: false })).heads)).toEqual(['main'])
      const strange = onNode(
        {},
        { ...settings, hostKeys: sshd.hostKeys.map((line) => line.split(' ').slice(0, 2).join(' ')) },
      )
      expect((await failureOf(rig.mirrors.fetch(strange, { force: false }))).code).toBe('REPOSITORY_REFUSED')
    } finally {
      await server.stop()
    }
  })

  it('S2.10 a node that is not in the fleet, or does not answer, is named', async () => {
    const unknown = rig.repository({ checkout: { kind: 'node', node: 'VM99', directory: '~/x' } })
    expect((await failureOf(rig.mirrors.fetch(unknown, { force: false }))).code).toBe('SOURCE_MISSING')
    await sshd.stop()
    const failure = await failureOf(rig.mirrors.fetch(onNode(), { force: false }))
    expect(failure.code).toBe('REPOSITORY_UNREACHABLE')
    expect(failure.message).toContain('VM04')
  })
})

/** A node whose environment has one variable more. */
function withVariable(pool: ReturnType<typeof createSshPool>, assignment: string): Pick<typeof pool, 'exec'> {
  return {
    exec: (node, command, options) => pool.exec(node, `${assignment}; export GIT_SSL_CAINFO; ${command}`, options),
  }
}
