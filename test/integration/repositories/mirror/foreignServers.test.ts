import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLoginIdentities } from '../../../../src/engine/pki/loginIdentities.ts'
import { createStaticKeys } from '../../../../src/engine/pki/staticKeys.ts'
import { createOpenSshAccess } from '../../../../src/engine/ssh/openSshAccess.ts'
import { sshdMissing, startSshd } from '../../../support/sshd.ts'
import { createTrust } from '../../../support/trust.ts'
import { type GitHttpsServer, startGitHttps } from './gitHttpsServer.ts'
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

const canary = 'glpat-foreign-canary-50d3'

let rig: MirrorRig
let library: string
beforeEach(async () => {
  rig = await createMirrorRig({ tokenOf: async () => canary })
  library = join(rig.directory, 'library')
  newRepository(library, { 'lib.txt': 'lib\n' })
  git(rig.origin, ['submodule', '--quiet', 'add', library, 'lib'])
})
afterEach(() => rig.dispose())

/** The library under this URL. @returns the commit */
function libraryAt(url: string): string {
  git(rig.origin, ['config', '-f', '.gitmodules', 'submodule.lib.url', url])
  return commitFiles(rig.origin, {})
}

describe('a token and servers that somebody else names', () => {
  let own: GitHttpsServer
  let foreign: GitHttpsServer
  let seen: string[]
  const authorityBefore = process.env.GIT_SSL_CAINFO

  beforeEach(async () => {
    seen = []
    const start = async (name: string, login: string | null) => {
      const directory = join(rig.directory, name)
      await mkdir(directory)
      const onRequest = () => void seen.push(...commandLines())
      return startGitHttps({ root: rig.directory, directory, login, onRequest })
    }
    own = await start('own', `git:${canary}`)
    foreign = await start('foreign', 'nobody:nothing')
    const both = join(rig.directory, 'both.pem')
    await writeFile(both, readFileSync(own.authority, 'utf8') + readFileSync(foreign.authority, 'utf8'))
    process.env.GIT_SSL_CAINFO = both
  })
  afterEach(async () => {
    if (authorityBefore === undefined) delete process.env.GIT_SSL_CAINFO
    else process.env.GIT_SSL_CAINFO = authorityBefore
    await own.close()
    await foreign.close()
  })

  const withToken = (settings: SomeSettings = {}) =>
    rig.repository({ remote: `${own.url}/origin/.git`, login: { kind: 'token' }, submodules: true, ...settings })

  it('S2.11 a submodule on another server never gets it, and the reason is said', async () => {
    const commit = libraryAt(`${foreign.url}/library/.git`)
    const failure = await failureOf(rig.mirrors.snapshot(withToken(), commit, { dotGit: false }))
    expect(own.logins).toContain(`git:${canary}`)
    expect(foreign.logins).toEqual([])
    expect([failure.code, failure.message]).toEqual(['REPOSITORY_REFUSED', expect.stringContaining('another server')])
  })

  it('S2.11 S2.4 a submodule on the same server is fetched with it', async () => {
    const commit = libraryAt(`https://somebody@${own.host}/library/.git`)
    const { directory } = await rig.mirrors.snapshot(withToken(), commit, { dotGit: false })
    expect(listing(directory)).toContain('lib/lib.txt')
    expect(seen.join('\n')).not.toContain('somebody@')
  })

  it('S2.11 an origin that nobody entered never gets it', async () => {
    const checkout = join(rig.directory, 'checkout')
    newRepository(checkout)
    git(checkout, ['remote', 'add', 'origin', `${foreign.url}/origin/.git`])
    const plain = withToken({ checkout: { kind: 'here', directory: checkout } })
    // As a database of an earlier version may hold it.
    const repository = { ...plain, settings: { ...plain.settings, remote: null } }
    const failure = await failureOf(rig.mirrors.fetch(repository, { force: false }))
    expect([failure.code, foreign.logins]).toEqual(['REPOSITORY_REFUSED', []])
  })

  it('S2.11 what stands in front of the host of an origin shows in no command line', async () => {
    const checkout = join(rig.directory, 'checkout')
    newRepository(checkout)
    const token = 'ghp_inUrlCanary77'
    git(checkout, ['remote', 'add', 'origin', `https://${token}@${own.host}/origin/.git`])
    const settings: SomeSettings = { remote: null, login: { kind: 'none' } }
    const repository = withToken({ ...settings, checkout: { kind: 'here', directory: checkout } })
    const failure = await failureOf(rig.mirrors.fetch(repository, { force: false }))
    expect(failure.code).toBe('REPOSITORY_REFUSED')
    expect(seen.some((line) => line.includes('remote-https'))).toBe(true)
    expect(seen.join('\n') + JSON.stringify(failure.toBody())).not.toContain(token)
  })
})

describe.skipIf(sshdMissing !== null)('a key and servers that somebody else names', () => {
  it('S2.11 a submodule on another server is not logged in to, although it would take the key', async () => {
    const keyFile = join(rig.directory, 'id')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', keyFile])
    const authorizedKeys = [readFileSync(`${keyFile}.pub`, 'utf8').trim()]
    const trust = await createTrust()
    const [own, foreign] = [await startSshd({ authorizedKeys }), await startSshd({ authorizedKeys })]
    const identities = createLoginIdentities({ certificates: trust.identities, staticKeys: createStaticKeys() })
    const openSsh = await createOpenSshAccess({ directory: join(rig.directory, 'ssh'), identities })
    try {
      const mirrors = rig.again({ openSsh })
      const urlOn = ({ user, address, port }: typeof own, path: string) => `ssh://${user}@${address}:${port}${path}`
      const repository = rig.repository({
        remote: urlOn(own, rig.origin),
        login: { kind: 'key', file: keyFile },
        hostKeys: [...own.hostKeys, ...foreign.hostKeys].map((line) => line.split(' ').slice(0, 2).join(' ')),
        submodules: true,
      })
      const there = await mirrors.snapshot(repository, libraryAt(urlOn(own, library)), { dotGit: false })
      expect(listing(there.directory)).toContain('lib/lib.txt')
      const commit = libraryAt(urlOn(foreign, library))
      const failure = await failureOf(mirrors.snapshot(repository, commit, { dotGit: false }))
      expect([failure.code, failure.message]).toEqual(['REPOSITORY_REFUSED', expect.stringContaining('another server')])
      expect(await foreign.log()).not.toContain('Accepted')
    } finally {
      await openSsh.close()
      await own.stop()
      await foreign.stop()
      await trust.stop()
    }
  })
})
